"""Learning rates as functions of the step: a share of the highest rate, by the schedule's known name and its settings.

What each is, is what transformers' ``get_scheduler`` makes of the same name and settings. Steps count from 0.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from headway.errors import ConfigError
from headway.settings.changes import named_values
from headway.settings.training import TrainingArguments

Fall: TypeAlias = Literal["linear", "cosine", "1-sqrt"]
CONSTANT_ROOT = 10_000
"""The time scale of the inverse square root without warm-up."""


@dataclass(frozen=True)
class Span:
    """Where a step stands: ``step`` of ``total``, of which the first ``warm`` are warm-up."""

    step: float
    total: int
    warm: int

    @property
    def done(self) -> float:
        """The share of the steps after warm-up that is done."""
        return (self.step - self.warm) / max(1, self.total - self.warm)

    @property
    def rise(self) -> float:
        """The share of warm-up that is done."""
        return self.step / max(1, self.warm)


def linear(at: Span) -> float:
    """Down to 0 in a straight line."""
    return max(0.0, 1 - at.done)


def cosine(at: Span, *, num_cycles: float = 0.5) -> float:
    """Down along a cosine (Loshchilov and Hutter, 2017, arXiv:1608.03983); half a cycle ends at 0."""
    return max(0.0, (1 + math.cos(math.pi * num_cycles * 2 * at.done)) / 2)


def cosine_with_restarts(at: Span, *, num_cycles: float = 1) -> float:
    """Half a cosine, ``num_cycles`` times from the top. Loshchilov and Hutter, 2017, section 3."""
    return 0.0 if at.done >= 1 else (1 + math.cos(math.pi * ((num_cycles * at.done) % 1))) / 2


def cosine_with_min_lr(at: Span, *, num_cycles: float = 0.5, min_lr_rate: float = 0.0) -> float:
    """Along a cosine down to ``min_lr_rate`` of the highest rate instead of 0."""
    return max(0.0, cosine(at, num_cycles=num_cycles) * (1 - min_lr_rate) + min_lr_rate)


def polynomial(at: Span, *, lr_end_rate: float, power: float = 1.0) -> float:
    """Down to ``lr_end_rate`` of the highest rate, as a power of what is left."""
    return lr_end_rate if at.step > at.total else (1 - lr_end_rate) * (1 - at.done) ** power + lr_end_rate


def inverse_sqrt(at: Span, *, timescale: int | None = None) -> float:
    """With the inverse square root of the steps. Raffel et al., 2020, arXiv:1910.10683, section 3.1.2."""
    scale = timescale or at.warm or CONSTANT_ROOT
    return 1 / math.sqrt((at.step + scale - at.warm) / scale)


def warmup_stable_decay(
    at: Span,
    *,
    num_decay_steps: int,
    num_stable_steps: int | None = None,
    warmup_type: Fall = "linear",
    decay_type: Fall = "cosine",
    min_lr_ratio: float = 0.0,
    num_cycles: float = 0.5,
) -> float:
    """The highest rate until ``num_decay_steps`` before the end, then down (Hu et al., 2024, arXiv:2404.06395, section 4).

    It rises from, and falls to, ``min_lr_ratio`` of the highest rate.
    """
    stable = at.total - at.warm - num_decay_steps if num_stable_steps is None else num_stable_steps
    if at.step < at.warm:
        share = _risen(at.rise, warmup_type)
    elif at.step < at.warm + stable:
        share = 1.0
    elif at.step < at.warm + stable + num_decay_steps:
        share = _fallen((at.step - at.warm - stable) / max(1, num_decay_steps), decay_type, num_cycles)
    else:
        share = 0.0
    return max(0.0, share * (1 - min_lr_ratio) + min_lr_ratio)


def constant_with_warmup(at: Span) -> float:
    """The highest rate."""
    return 1.0


def reduce_lr_on_plateau(at: Span) -> float:
    """The highest rate, which ``plateau`` lowers after evaluations that are no better."""
    return 1.0


SCHEDULES: dict[str, Callable[..., float]] = {
    "linear": linear,
    "cosine": cosine,
    "cosine_with_restarts": cosine_with_restarts,
    "cosine_with_min_lr": cosine_with_min_lr,
    "polynomial": polynomial,
    "constant": constant_with_warmup,
    "constant_with_warmup": constant_with_warmup,
    "inverse_sqrt": inverse_sqrt,
    "warmup_stable_decay": warmup_stable_decay,
    "reduce_lr_on_plateau": reduce_lr_on_plateau,
}
WITHOUT_WARMUP = ("constant",)
WITH_OWN_WARMUP = ("warmup_stable_decay",)


def learning_rates(
    total: int, arguments: TrainingArguments, *, highest: Callable[[], float] | None = None
) -> Callable[[float], float]:
    """The rate of each step, counted from 0, of ``total``: warm-up from 0 in a straight line, then the schedule.

    ``highest`` says what the highest rate is now, where that changes.
    """
    name = arguments.lr_scheduler_type
    schedule, settings = SCHEDULES[name], schedule_settings(arguments)
    warm = 0 if name in WITHOUT_WARMUP else warm_up_steps(arguments.warmup_steps, total)
    if warm > total:
        raise ConfigError(
            f"warmup_steps is {warm}, but the whole training has {total} steps, so the learning rate would never be reached. Use "
            "fewer, or a share of all steps such as 0.1."
        )

    def rate(step: float) -> float:
        at = Span(step, total, warm)
        rises = step < warm and name not in WITH_OWN_WARMUP
        now = arguments.learning_rate if highest is None else highest()
        return now * (at.rise if rises else schedule(at, **settings))

    return rate


def warm_up_steps(warmup: float, total: int) -> int:
    """How many steps warm-up has: a number of steps, or below 1 a share of all."""
    return math.ceil(warmup * total) if warmup < 1 else int(warmup)


def schedule_settings(arguments: TrainingArguments) -> dict[str, Any]:
    """The schedule's settings, as shares of the highest rate; one that it does not have is a ``ConfigError``."""
    name = arguments.lr_scheduler_type
    if name == "reduce_lr_on_plateau":
        return {}
    given = named_values(arguments.lr_scheduler_kwargs, of="a schedule")
    if "min_lr" in given and name == "cosine_with_min_lr":
        given["min_lr_rate"] = given.pop("min_lr") / arguments.learning_rate
    if name == "polynomial":
        given["lr_end_rate"] = given.pop("lr_end", 1e-7) / arguments.learning_rate
    known = inspect.signature(SCHEDULES[name]).parameters
    wanted = [word for word, parameter in known.items() if parameter.kind is parameter.KEYWORD_ONLY]
    if unknown := [word for word in given if word not in wanted]:
        said = ", ".join(wanted) or "none"
        raise ConfigError(
            f"lr_scheduler_kwargs has {unknown[0]!r}, which is no setting of the schedule {name!r}. Its settings are: {said}."
        )
    _require(name, wanted, known, given)
    return given


def _require(name: str, wanted: list[str], known: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> None:
    missing = [word for word in wanted if known[word].default is inspect.Parameter.empty and word not in given]
    if missing:
        raise ConfigError(
            f"The schedule {name!r} needs {missing[0]}. Give it: lr_scheduler_kwargs={{'{missing[0]}': …}}, or "
            f"--lr-scheduler-kwargs {missing[0]}=…"
        )


def _fallen(done: float, how: Fall, num_cycles: float) -> float:
    if how == "1-sqrt":
        return 1 - math.sqrt(done)
    return 1 - done if how == "linear" else (1 + math.cos(math.pi * num_cycles * 2 * done)) / 2


def _risen(done: float, how: Fall) -> float:
    if how == "1-sqrt":
        return 1 - math.sqrt(1 - done)
    return done if how == "linear" else (1 - math.cos(math.pi * done)) / 2
