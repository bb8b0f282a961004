"""The live view of a training as lines of text: pure functions of what is known at a moment."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-=*#%@"
TREND = 24
"""Bars of the loss's curve."""
FLAT = 0.01
"""Changes of the loss smaller than this share of it are called none."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A training at one moment."""

    doing: str = "Training"
    step: int = 0
    total: int = 0
    epoch: float | None = None
    gone: float = 0.0
    """Seconds since this process began to train."""
    left: float | None = None
    """Seconds to the end, if it goes on like this."""
    losses: Sequence[float] = ()
    """Of the steps so far, or of the latest."""
    rate: float = 0.0
    norm: float | None = None
    metric: str | None = None
    value: float | None = None
    """The metric's, at the latest evaluation."""
    best: float | None = None
    best_step: int | None = None
    tokens_per_second: float = 0.0
    operations_per_second: float | None = None
    peak: float | None = None
    """Operations a second that the machine's matrix products reach."""
    precision: str = "fp32"
    memory: float | None = None
    memory_peak: float | None = None


def lines(view: View, *, width: int = 100, unicode: bool = True) -> list[str]:
    """The view in lines of at most ``width`` signs."""
    rows = [_progress(view, width, unicode), _loss(view, unicode), _metric(view), _machine(view)]
    return [row if len(row) <= width else row[: max(0, width - 1)] + ("…" if unicode else ">") for row in rows if row]


def trend(losses: Sequence[float], *, unicode: bool = True) -> str:
    """Which way the loss goes: its latest quarter against the one before."""
    size = len(losses) // 4
    if size < 1:
        return ""
    now, before = _mean(losses[-size:]), _mean(losses[-2 * size : -size])
    if not math.isfinite(now):
        return "not finite"
    if abs(now - before) <= FLAT * abs(before):
        return "→" if unicode else "flat"
    return ("↘" if unicode else "falling") if now < before else ("↗" if unicode else "rising")


def curve(losses: Sequence[float], *, unicode: bool = True, most: int = TREND) -> str:
    """The losses as a row of bars, each the mean of as many steps; nothing for fewer than two."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    count = min(most, len(finite))
    if count < 2:
        return ""
    cuts = [round(place * len(finite) / count) for place in range(count + 1)]
    means = [_mean(finite[start:stop]) for start, stop in itertools.pairwise(cuts)]
    low, high = min(means), max(means)
    bars = BARS if unicode else PLAIN_BARS
    return "".join(bars[round((mean - low) / (high - low or 1.0) * (len(bars) - 1))] for mean in means)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def amount(value: float, unit: str) -> str:
    """A large number with a prefix: 1.4 GB, 203 GFLOP/s."""
    for prefix in ("", "k", "M", "G", "T"):
        if abs(value) < 1000 or prefix == "T":
            break
        value /= 1000
    return f"{value:.0f} {prefix}{unit}" if abs(value) >= 100 or not prefix else f"{value:.1f} {prefix}{unit}"


def _progress(view: View, width: int, unicode: bool) -> str:
    share = view.step / view.total if view.total else 0.0
    epoch = "" if view.epoch is None else f"  epoch {view.epoch:.2f}"
    left = "" if view.left is None else f", {clock(view.left)} left"
    said = f"{view.doing}  {view.step:,}/{view.total:,} steps  {share:.0%}{epoch}  {clock(view.gone)} gone{left}"
    room = min(30, width - len(said) - 2)
    if room < 5:
        return said
    full = int(share * room)
    return f"{said}  {('━' if unicode else '#') * full}{('─' if unicode else '.') * (room - full)}"


def _loss(view: View, unicode: bool) -> str:
    if not view.losses:
        return ""
    latest = _mean(view.losses[-max(1, min(20, len(view.losses) // 4)) :])
    said = [f"loss {latest:.4f}", trend(view.losses, unicode=unicode), curve(view.losses, unicode=unicode)]
    norm = "" if view.norm is None else f"  gradient {view.norm:.2f}"
    return " ".join(word for word in said if word) + f"  rate {view.rate:.2e}{norm}"


def _metric(view: View) -> str:
    if view.metric is None or view.value is None:
        return ""
    where = "" if view.best_step is None else f" at step {view.best_step:,}"
    best = "" if view.best is None else f"  best {view.best:.4f}{where}"
    return f"{view.metric} {view.value:.4f}{best}"


def _machine(view: View) -> str:
    parts = [f"{view.tokens_per_second:,.0f} tokens/s"]
    if view.operations_per_second is not None and view.peak:
        share = view.operations_per_second / view.peak
        parts.append(f"{share:.0%} of this machine's {amount(view.peak, 'FLOP/s')} in {view.precision}")
    if view.memory_peak is not None:
        now = "" if view.memory is None else f"{amount(view.memory, 'B')}, "
        parts.append(f"memory {now}peak {amount(view.memory_peak, 'B')}")
    return "  ".join(parts)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
