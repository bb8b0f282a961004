"""Whether the learning rate suits: from the losses and gradients in a run's log, and from a short test of rates."""

import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

from headway.diagnosis.findings import Finding
from headway.diagnosis.fitting import often

CHECK, RANGE = "learning rate", "range of learning rates"
SPIKE, RESTLESS = 0.6, 4.0
"""How far a loss is above the median of the four before it where it counts as a spike: as a share of that median, and as a
multiple of the usual difference between two neighbours."""
FLAT = 0.03
LARGE = 20
"""How many times the clip gradients are where hardly anything is left of them."""


def check_rate(history: Sequence[Mapping[str, Any]], *, rate: float, clip: float) -> Finding:
    """Losses that are not finite, that jump, that never fall; gradients of which clipping leaves nothing."""
    entries = [entry for entry in history if "loss" in entry]
    losses, norms = [entry["loss"] for entry in entries], [entry["grad_norm"] for entry in entries if "grad_norm" in entry]
    if any(not math.isfinite(loss) for loss in losses):
        step = next(entry["step"] for entry in entries if not math.isfinite(entry["loss"]))
        said, do = "the loss is no number any more", f"learning_rate={rate / 5:.1e} warmup_steps=0.1 max_grad_norm=1"
        return Finding(check=CHECK, level="problem", said=said, evidence=(f"first at step {step:,}",), do=do)
    if len(losses) < 5:
        said = f"the log has {len(losses)} losses, too few to see how they go"
        return Finding(check=CHECK, level="unknown", said=said, do=f"train with {often(history)}")
    for find in (_spikes, _flat, _clipped):
        if (found := find(entries, losses, norms, rate, clip)) is not None:
            return found
    evidence = (f"loss {losses[0]:.4f} to {losses[-1]:.4f}, without jumps",)
    return Finding(check=CHECK, level="fine", said=f"{rate:.1e} trains steadily", evidence=evidence)


def check_range(points: Sequence[tuple[float, float]], *, rate: float) -> Finding:
    """The run's rate among those of a range test (Smith, 2017, arXiv:1506.01186, section 3.3): losses over rising rates."""
    losses = smoothed([loss for _, loss in points])
    if len(points) < 8:
        return Finding(check=RANGE, level="unknown", said="too few rates were tried; allow more minutes")
    start, place = losses[0], min(range(len(losses)), key=losses.__getitem__)
    lowest = losses[place]
    if lowest > start * (1 - FLAT):
        return Finding(
            check=RANGE, level="unknown", said="the loss fell at none of the rates within so few steps",
            evidence=(f"from {start:.4f} to {lowest:.4f} at best",),
        )  # fmt: skip
    diverges = next((points[index][0] for index in range(place, len(losses)) if losses[index] > start), None)
    best = points[place][0]
    good = best / 3
    where = "nowhere" if diverges is None else f"from {diverges:.1e} on"
    evidence = (f"lowest loss at {best:.1e}, {lowest:.4f} (at first {start:.4f}); above the first {where}",)
    if diverges is not None and rate >= diverges:
        said, do = f"{rate:.1e} is where training falls apart", f"learning_rate={good:.1e}"
        return Finding(check=RANGE, level="problem", said=said, evidence=evidence, sure="medium", do=do)
    if rate < best / 100:
        said, do = f"{rate:.1e} is far below what this model takes", f"learning_rate={best / 10:.1e}"
        return Finding(check=RANGE, level="hint", said=said, evidence=evidence, sure="low", do=do)
    return Finding(check=RANGE, level="fine", said=f"{rate:.1e} lies where the loss falls", evidence=evidence, sure="medium")


def smoothed(values: Sequence[float], *, keep: float = 0.6) -> list[float]:
    """Each value with a share of those before it; what is no number counts as very large."""
    found: list[float] = []
    for value in values:
        finite = value if math.isfinite(value) else 1e9
        found.append(finite if not found else keep * found[-1] + (1 - keep) * finite)
    return found


def _spikes(entries: Any, losses: Sequence[float], norms: Sequence[float], rate: float, clip: float) -> Finding | None:
    usual = median(abs(after - before) for before, after in itertools.pairwise(losses))
    found = [
        entries[index] for index in range(4, len(losses))
        if losses[index] > _usual(losses, index) + max(SPIKE * _usual(losses, index), RESTLESS * usual)
    ]  # fmt: skip
    if not found:
        return None
    steps = ", ".join(f"{entry['step']:,} ({entry['loss']:.3f})" for entry in found[:8])
    return Finding(
        check=CHECK,
        level="problem" if len(found) > 1 else "hint",
        said="the loss jumps up again and again" if len(found) > 1 else "the loss jumped up once",
        evidence=(f"at steps {steps}; the median of all is {median(losses):.3f}",),
        sure="high" if len(found) > 1 else "low",
        do=f"learning_rate={rate / 3:.1e} warmup_steps=0.1 max_grad_norm=1",
    )


def _usual(losses: Sequence[float], index: int) -> float:
    return median(losses[index - 4 : index])


def _flat(entries: Any, losses: Sequence[float], norms: Sequence[float], rate: float, clip: float) -> Finding | None:
    fifth = max(1, len(losses) // 5)
    first, last = mean(losses[:fifth]), mean(losses[-fifth:])
    if last < (1 - FLAT) * first or first < 0.05:
        return None
    return Finding(
        check=CHECK,
        level="problem",
        said="the loss did not fall: the model learnt nothing",
        evidence=(f"training loss {first:.4f} in the first fifth, {last:.4f} in the last",),
        sure="medium",
        do=f"learning_rate={rate * 5:.1e}; if the loss stays, look at labels and columns: they may not belong to the texts",
    )


def _clipped(entries: Any, losses: Sequence[float], norms: Sequence[float], rate: float, clip: float) -> Finding | None:
    third = len(norms) // 3
    if not clip or third < 1:
        return None
    typical, grown = median(norms), mean(norms[-third:]) > 5 * mean(norms[:third])
    if typical <= LARGE * clip and not (grown and typical > clip):
        return None
    return Finding(
        check=CHECK,
        level="hint",
        said="gradients grow while training goes on" if grown else "clipping leaves hardly anything of the gradients",
        evidence=(f"gradient norm {typical:.3g} at the median, {max(norms):.3g} at most; clipped at {clip:g}",),
        sure="medium",
        do=f"learning_rate={rate / 3:.1e} warmup_steps=0.1",
    )
