"""A learning rate that falls when evaluations get no better: torch's ``ReduceLROnPlateau``, asked after each evaluation."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from headway.errors import ConfigError
from headway.settings.changes import named_values
from headway.settings.training import TrainingArguments
from headway.training.callbacks import is_greater_better

NAME = "reduce_lr_on_plateau"
DECISIVE = ("eval_strategy", "eval_steps", "eval_delay", "metric_for_best_model", "greater_is_better")
"""Settings that decide the rate, and so the weights."""
KEPT = ("best", "num_bad_epochs", "cooldown_counter")


class Plateau:
    """The highest rate of a training as it is now. Better is what ``greater_is_better`` says, unless ``mode`` is given."""

    def __init__(self, arguments: TrainingArguments, state: Mapping[str, Any]) -> None:
        # of an optimiser it reads and sets the rate alone
        self._holder = torch.optim.SGD([torch.zeros(1)], lr=arguments.learning_rate)
        self._scheduler = _scheduler(self._holder, plateau_settings(arguments))
        if state:
            kept = {name: state[name] for name in KEPT if state[name] is not None}
            vars(self._scheduler).update(kept)
            self._holder.param_groups[0]["lr"] = state["rate"]

    def rate(self) -> float:
        """The highest rate of the next steps."""
        return float(self._holder.param_groups[0]["lr"])

    def take(self, value: float) -> None:
        """Hear what an evaluation measured."""
        self._scheduler.step(value)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, ready for JSON."""
        kept = {name: getattr(self._scheduler, name) for name in KEPT}
        return {"rate": self.rate(), **kept, "best": kept["best"] if math.isfinite(kept["best"]) else None}


def plateau_settings(arguments: TrainingArguments) -> dict[str, Any]:
    """The settings of ``ReduceLROnPlateau``; one that it does not have is a ``ConfigError``."""
    given = named_values(arguments.lr_scheduler_kwargs, of="a schedule")
    known = [name for name in inspect.signature(ReduceLROnPlateau).parameters if name != "optimizer"]
    if unknown := [name for name in given if name not in known]:
        raise ConfigError(
            f"lr_scheduler_kwargs has {unknown[0]!r}, which is no setting of the schedule {NAME!r}. Its settings are: "
            f"{', '.join(known)}."
        )
    return {"mode": "max" if is_greater_better(arguments) else "min", **given}


def _scheduler(holder: torch.optim.Optimizer, settings: Mapping[str, Any]) -> ReduceLROnPlateau:
    try:
        return ReduceLROnPlateau(holder, **settings)
    except (TypeError, ValueError) as error:
        said = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        raise ConfigError(
            f"The schedule {NAME!r} cannot be had with {said}: {error} Correct lr_scheduler_kwargs: factor=0.5, patience=2."
        ) from error
