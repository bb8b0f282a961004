"""An optimiser of the user's own: ``optimizers`` and ``optimizer_cls_and_kwargs`` of ``Trainer``."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from headway.errors import ConfigError
from headway.settings.training import TrainingArguments
from headway.training.optimiser import weight_groups

INITIAL = "initial_lr"
"""A group's learning rate before any schedule, as torch's schedules note it."""
UNUSED: Mapping[str, Any] = {"optim_args": (), "layerwise_lr_decay": 1.0}
"""Settings that say how an optimiser is made, and what they usually are."""


@dataclass(frozen=True, kw_only=True)
class OwnOptimizer:
    """An optimiser that is there already, perhaps with its own schedule; or its class with what it is made with."""

    optimizer: torch.optim.Optimizer | None = None
    scheduler: LRScheduler | None = None
    kind: Callable[..., torch.optim.Optimizer] | None = None
    settings: Mapping[str, Any] | None = None

    def make(self, model: nn.Module, arguments: TrainingArguments) -> torch.optim.Optimizer:
        """The optimiser for this model. The schedule moves each group's learning rate alike."""
        if arguments.fsdp:
            raise ConfigError(
                "fsdp trains a copy of the model in shards, which an optimiser of your own cannot know. Leave fsdp out."
            )
        if self.optimizer is None:
            assert self.kind is not None
            given = dict(self.settings or {})
            return self.kind(
                weight_groups(model, self.scheduled(arguments)), lr=given.pop("lr", arguments.learning_rate), **given
            )
        _check_fits(self.optimizer, model, arguments)
        highest = self.scheduled(arguments).learning_rate
        for group in self.optimizer.param_groups:
            group["lr_share"] = None if self.scheduler is not None else group[INITIAL] / highest
        return self.optimizer

    def scheduled(self, arguments: TrainingArguments) -> TrainingArguments:
        """The arguments with the optimiser's own learning rate, the highest where groups have several."""
        if self.optimizer is not None:
            rate = max(group.setdefault(INITIAL, group["lr"]) for group in self.optimizer.param_groups)
        else:
            rate = (self.settings or {}).get("lr", arguments.learning_rate)
        if not isinstance(rate, int | float) or not 0 < rate < math.inf:
            raise ConfigError(
                f"The optimiser has the lr {rate!r}, of which a schedule can make nothing. Give it one such as 5e-5."
            )
        return replace(arguments, learning_rate=float(rate), optim="sgd")  # by which large rates are not refused

    def rate(self, step: float) -> float:
        """The learning rate that its own schedule has come to at this step. A new schedule is brought there."""
        scheduler = self.scheduler
        assert scheduler is not None
        if scheduler.last_epoch > step:
            raise ConfigError(
                f"The schedule given with the optimiser has gone {scheduler.last_epoch} steps, but training is at step {step:g}. "
                "Give Trainer a new optimiser with a new schedule."
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")  # as in a run that goes on
            while scheduler.last_epoch < step:
                scheduler.step()
        return float(max(group["lr"] for group in scheduler.optimizer.param_groups))

    def facts(self) -> dict[str, str]:
        """What a run has to have again to go on."""
        made = self.optimizer.defaults if self.optimizer is not None else self.settings or {}
        plain = {name: value for name, value in made.items() if isinstance(value, bool | int | float | str)}
        name = type(self.optimizer).__name__ if self.optimizer is not None else getattr(self.kind, "__name__", "")
        schedule = {} if self.scheduler is None else {"schedule": type(self.scheduler).__name__}
        return {"optimizer": f"{name} {plain}", **schedule}


def own_optimizer(optimizers: Sequence[Any], kind: Any, *, model_init: Any) -> OwnOptimizer | None:
    """What the user gave, None where it is nothing; what cannot be used is a ``ConfigError``."""
    optimizer, scheduler = optimizers
    if optimizer is None and scheduler is None and kind is None:
        return None
    if kind is not None:
        if optimizer is not None or scheduler is not None:
            raise ConfigError(
                "optimizers and optimizer_cls_and_kwargs are both given, and each says how to train. Leave one out."
            )
        return OwnOptimizer(kind=kind[0], settings=dict(kind[1]))
    if model_init is not None:
        raise ConfigError(
            "optimizers hold the weights of one model, but model_init makes new ones. Give optimizer_cls_and_kwargs, a class and "
            "its settings."
        )
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigError(
            f"optimizers has {'no optimiser' if optimizer is None else f'a {type(optimizer).__name__}'} in its first place, but "
            "torch.optim.Optimizer belongs there, and its schedule or None behind it. Give both, or use optim and "
            "lr_scheduler_type."
        )
    if scheduler is not None:
        _check_schedule(scheduler, optimizer)
    return OwnOptimizer(optimizer=optimizer, scheduler=scheduler)


def _check_schedule(scheduler: Any, optimizer: torch.optim.Optimizer) -> None:
    if isinstance(scheduler, ReduceLROnPlateau) or not isinstance(scheduler, LRScheduler):
        raise ConfigError(
            f"optimizers has a {type(scheduler).__name__} in its second place, but one of torch's schedules that count steps "
            "belongs there, such as LambdaLR, or None. To wait for evaluations use lr_scheduler_type='reduce_lr_on_plateau'."
        )
    if scheduler.optimizer is not optimizer:
        raise ConfigError("optimizers has a schedule of another optimiser. Make it with the one that stands before it.")


def _check_fits(optimizer: torch.optim.Optimizer, model: nn.Module, arguments: TrainingArguments) -> None:
    known = {id(weight) for weight in model.parameters()}
    if any(id(weight) not in known for group in optimizer.param_groups for weight in group["params"]):
        raise ConfigError(
            "The optimiser in optimizers holds weights that are not the model's, so they would get no gradient. Make it from "
            "model.parameters(), of the model that Trainer is given."
        )
    for name in UNUSED:
        if getattr(arguments, name) != UNUSED[name]:
            raise ConfigError(
                f"{name} says how an optimiser is made, but optimizers has one that is there already. Leave it out."
            )
