"""How good a model's answers are: measured on labelled rows, with intervals, tables and the worst mistakes."""

from headway.evaluation.glue import GLUE, GlueSet
from headway.evaluation.measuring import evaluate
from headway.evaluation.report import Mistake, Report

__all__ = ["GLUE", "GlueSet", "Mistake", "Report", "evaluate"]
