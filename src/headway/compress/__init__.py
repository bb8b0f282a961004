"""Smaller models: distillation, and what models cost and are good for, measured. Importing from here imports torch."""

from headway.compress.distilling import Distilled, distill
from headway.compress.table import Comparison, Worth
from headway.settings.distillation import DistillSettings

__all__ = ["Comparison", "DistillSettings", "Distilled", "Worth", "distill"]
