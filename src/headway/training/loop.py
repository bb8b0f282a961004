"""The loop around the step: data order, schedule, log, checkpoints and resuming. What is trained comes in as a ``Job``."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.training.batch import Batch, Count, LossSum, number_of_targets
from headway.training.checkpoints import TrainerState, load_state, newest_state, save_state
from headway.training.memory import give_back_freed_memory, keep_freed_memory
from headway.training.optimiser import make_optimizer, set_learning_rate
from headway.training.reporting import Reporter
from headway.training.schedules import learning_rate
from headway.training.step import mixed_precision, train_step


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained on what: everything that an objective brings to the loop."""

    model: EncoderModel
    loss_sum: LossSum
    order: Callable[[int], Sequence[np.ndarray]]
    """The batches of an epoch as indices of rows; the same epoch gives the same batches."""
    load: Callable[[np.ndarray, int, int], Batch]
    """A batch from its indices, the epoch and its number within it."""
    evaluate: Callable[[], dict[str, float]] | None = None
    count: Count = number_of_targets
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What a checkpoint must agree on to be resumed, beside the arguments."""


@dataclass(frozen=True)
class TrainOutput:
    """What training returns: steps done, the mean loss since the last log line before the end, and figures of the run."""

    global_step: int
    training_loss: float
    metrics: dict[str, float]


STEPS_BETWEEN_TRIMS = 50
"""How often memory that is kept but free goes back to the system."""

DECISIVE = (
    "learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps", "max_length",
    "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "optim", "optim_args", "layerwise_lr_decay", "weight_decay",
    "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "label_smoothing_factor", "class_weights", "freeze", "seed",
)  # fmt: skip
"""Settings that decide the weights, so that a run can be resumed only under the same ones."""


def train(job: Job, arguments: TrainingArguments, reporter: Reporter) -> TrainOutput:
    """Train to the end, from the checkpoint that the arguments name where there is one. The model is changed in place."""
    keep_freed_memory()
    torch.manual_seed(arguments.seed)
    optimizer = make_optimizer(job.model, arguments)
    settings = arguments.to_dict()
    identity = {name: settings[name] for name in DECISIVE} | dict(job.identity)
    start = _resume_folder(arguments)
    state = TrainerState() if start is None else load_state(start, job.model, optimizer, identity=identity)
    total = total_steps(job, arguments)
    precision = mixed_precision(job.model.device, bf16=arguments.bf16)
    job.model.train()
    reporter.begin(state, total=total, resumed=start)
    began, first = time.monotonic(), state.global_step
    for batches, last_of_epoch in _steps(job, state, arguments.gradient_accumulation_steps, total):
        rate = learning_rate(state.global_step, total=total, arguments=arguments)
        set_learning_rate(optimizer, rate)
        result = train_step(
            job.model,
            batches,
            loss_sum=job.loss_sum,
            optimizer=optimizer,
            precision=precision,
            max_grad_norm=arguments.max_grad_norm,
            count=job.count,
        )
        state.global_step += 1
        reporter.step(state, result, rate)
        if state.global_step % STEPS_BETWEEN_TRIMS == 0:
            give_back_freed_memory()
        _milestones(
            job, arguments, state, optimizer, reporter, identity, is_last=state.global_step == total, ends_epoch=last_of_epoch
        )
    job.model.eval()
    seconds = time.monotonic() - began
    return TrainOutput(
        state.global_step, reporter.last_loss, {"train_runtime": seconds, "train_steps": float(state.global_step - first)}
    )


def total_steps(job: Job, arguments: TrainingArguments) -> int:
    """Optimiser steps of the whole run."""
    if arguments.max_steps > 0:
        return arguments.max_steps
    return max(1, math.ceil(math.ceil(len(job.order(0)) / arguments.gradient_accumulation_steps) * arguments.num_train_epochs))


def _resume_folder(arguments: TrainingArguments) -> Path | None:
    match arguments.resume_from_checkpoint:
        case None | False:
            return None
        case True:
            return newest_state(arguments.output_dir)
        case folder:
            return Path(folder)


def _steps(job: Job, state: TrainerState, accumulation: int, total: int) -> Iterator[tuple[list[Batch], bool]]:
    """The batches of each step that is left, and whether the step ends an epoch.

    ``state`` says where to start and is kept up to date.
    """
    while state.global_step < total:
        order = job.order(state.epoch)
        for start in range(state.batch, len(order), accumulation):
            if state.global_step >= total:
                return
            stop = min(start + accumulation, len(order))
            batches = [job.load(order[index], state.epoch, index) for index in range(start, stop)]
            state.batch = stop
            yield batches, stop == len(order)
        state.epoch, state.batch = state.epoch + 1, 0


def _milestones(
    job: Job,
    arguments: TrainingArguments,
    state: TrainerState,
    optimizer: torch.optim.Optimizer,
    reporter: Reporter,
    identity: Mapping[str, Any],
    *,
    is_last: bool,
    ends_epoch: bool,
) -> None:
    if is_last or state.global_step % arguments.logging_steps == 0:
        reporter.log_training(state)
    if job.evaluate is not None and is_due(
        arguments.eval_strategy, state.global_step, arguments.eval_steps or arguments.logging_steps, is_last, ends_epoch
    ):
        reporter.log(state, evaluate(job))
    if is_due(arguments.save_strategy, state.global_step, arguments.save_steps, is_last, ends_epoch):
        save_state(Path(arguments.output_dir), job.model, optimizer, state, identity=identity, limit=arguments.save_total_limit)


def evaluate(job: Job) -> dict[str, float]:
    """The job's scores with dropout off; the model is left as it was, torch's random state too."""
    assert job.evaluate is not None
    was_training = job.model.training
    job.model.eval()
    with torch.inference_mode():
        scores = job.evaluate()
    job.model.train(was_training)
    return scores


def is_due(strategy: str, step: int, every: int, is_last: bool, ends_epoch: bool) -> bool:
    """Whether a strategy wants its action after this step; what happens at steps or epochs also happens at the very end."""
    if strategy == "no":
        return False
    return is_last or (ends_epoch if strategy == "epoch" else step % every == 0)
