"""Training: the step, the loop, objectives and the Trainer. Importing from here imports torch."""

from headway.training.callbacks import EarlyStoppingCallback, TrainerCallback, TrainerControl
from headway.training.checkpoints import TrainerState
from headway.training.loop import TrainOutput
from headway.training.trainer import EvalPrediction, PredictionOutput, Trainer

__all__ = [
    "EarlyStoppingCallback",
    "EvalPrediction",
    "PredictionOutput",
    "TrainOutput",
    "Trainer",
    "TrainerCallback",
    "TrainerControl",
    "TrainerState",
]
