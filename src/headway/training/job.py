"""What is trained on what, and what comes of it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.training.batch import Batch, Count, LossSum, number_of_targets
from headway.training.own_optimizer import OwnOptimizer

DECISIVE = (
    "learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps", "max_length",
    "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "optim", "optim_args", "layerwise_lr_decay", "weight_decay",
    "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "label_smoothing_factor", "class_weights", "freeze", "seed",
    "neftune_noise_alpha",
)  # fmt: skip
"""Settings that decide the weights, so that a run can be resumed only under the same ones."""


def no_batches(epoch: int) -> Sequence[np.ndarray]:
    """For a model that is measured alone."""
    return []


def nothing_to_load(indices: np.ndarray, epoch: int, number: int) -> Batch:
    """For the same: there is no batch to ask for."""
    raise AssertionError("a job without batches was trained")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained on what: everything that an objective brings to the loop."""

    model: EncoderModel
    loss_sum: LossSum
    order: Callable[[int], Sequence[np.ndarray]] = no_batches
    """The batches of an epoch as indices of rows; the same epoch gives the same batches."""
    load: Callable[[np.ndarray, int, int], Batch] = nothing_to_load
    """A batch from its indices, the epoch and its number within it. It may be made on the CPU: it goes to the model's device."""
    evaluate: Callable[[], dict[str, float]] | None = None
    count: Count = number_of_targets
    tokens: Callable[[np.ndarray], int] | None = None
    """How many tokens a batch has; None where all have about as many. The batches of a step are chosen alike in it."""
    own_optimizer: OwnOptimizer | None = None
    """An optimiser of the user's own, in place of the one that the arguments name."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What a checkpoint must agree on to be resumed, beside the arguments."""


@dataclass(frozen=True)
class TrainOutput:
    """What training returns: steps done, the mean loss since the last log line before the end, and figures of the run."""

    global_step: int
    training_loss: float
    metrics: dict[str, float]


def total_steps(job: Job, arguments: TrainingArguments, *, batches_of_step: int | None = None) -> int:
    """Optimiser steps of the whole run."""
    if arguments.max_steps > 0:
        return arguments.max_steps
    size = batches_of_step or arguments.gradient_accumulation_steps
    return max(1, math.ceil(math.ceil(len(job.order(0)) / size) * arguments.num_train_epochs))


def evaluate(job: Job) -> dict[str, float]:
    """The job's scores with dropout off; the model is left as it was, torch's random state too."""
    assert job.evaluate is not None
    was_training = job.model.training
    job.model.eval()
    with torch.inference_mode():
        scores = job.evaluate()
    job.model.train(was_training)
    return scores
