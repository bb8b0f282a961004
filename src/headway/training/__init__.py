"""Training: the step, the loop, objectives and the Trainer. Importing from here imports torch."""

from headway.training.loop import TrainOutput
from headway.training.trainer import EvalPrediction, PredictionOutput, Trainer

__all__ = ["EvalPrediction", "PredictionOutput", "TrainOutput", "Trainer"]
