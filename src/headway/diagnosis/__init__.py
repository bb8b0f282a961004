"""What keeps a run from being better: findings with their evidence and what to do next. Importing from here imports torch."""

from headway.diagnosis.diagnosing import diagnose
from headway.diagnosis.findings import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "diagnose"]
