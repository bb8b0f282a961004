"""Whether a run learnt too long or too briefly, from the losses and scores in its log."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from headway.diagnosis.findings import Finding

CHECK = "fit"
RISE = 1.1
"""How much the held-out loss is above its best where it counts as risen."""
FALL = 0.95
"""The share of the training loss before that the last quarter falls below where a run was still learning."""


def check_fit(history: Sequence[Mapping[str, Any]], *, length: float, setting: str) -> Finding:
    """Over- or underfit, from training and held-out losses over steps. ``setting`` is what says how long the run was."""
    losses = [entry["loss"] for entry in history if "loss" in entry]
    held_out = [(entry["step"], entry["eval_loss"]) for entry in history if "eval_loss" in entry]
    if len(held_out) < 2 or len(losses) < 3:
        return Finding(
            check=CHECK,
            level="unknown",
            said=f"the log has {len(held_out)} evaluations and {len(losses)} training losses, too few to compare",
            do=f"train with a validation file, eval_strategy=steps and {often(history)}",
        )
    best_step, best = min(held_out, key=lambda point: point[1])
    last_step, last = held_out[-1]
    evidence = (
        f"training loss {losses[0]:.4f} at the beginning, {losses[-1]:.4f} at the end",
        f"held-out loss {best:.4f} at best (step {best_step:,}), {last:.4f} at the end (step {last_step:,})",
        *_score_lines(history),
    )
    if (nothing := _nothing_right(history)) is not None:
        do = f"{setting}={2 * length:g}, and see the learning rate; then look at labels and columns"
        said = f"no evaluation got anything right: {nothing} never rose above 0"
        return Finding(check=CHECK, level="problem", said=said, evidence=evidence, do=do)
    if last > RISE * best and best_step < last_step and losses[-1] < losses[0]:
        fewer = _shorter(length * best_step / last_step, setting)
        return _overfit(evidence, fewer, ratio=last / best)
    quarter = max(1, len(losses) // 4)
    now, before = mean(losses[-quarter:]), mean(losses[-2 * quarter : -quarter])
    if now < FALL * before and best_step == last_step and last < FALL * held_out[-2][1]:
        return Finding(
            check=CHECK,
            level="hint",
            said="training ended while both losses still fell: the model could learn more from this data",
            evidence=(*evidence, f"in the last quarter the training loss fell by {1 - now / before:.0%}"),
            sure="medium",
            do=f"{setting}={2 * length:g}",
        )
    return Finding(check=CHECK, level="fine", said="neither over- nor underfit", evidence=evidence)


def _shorter(length: float, setting: str) -> str:
    return f"{setting}={max(1, round(length))}" if setting == "max_steps" else f"{setting}={max(0.1, round(length, 1)):g}"


def often(history: Sequence[Mapping[str, Any]]) -> str:
    """The setting with which a run of this length has a log that can be read."""
    return f"logging_steps={max(1, max((entry['step'] for entry in history), default=0) // 20)}"


def _overfit(evidence: tuple[str, ...], fewer: str, *, ratio: float) -> Finding:
    return Finding(
        check=CHECK,
        level="problem",
        said="the model learnt its training rows by heart: the held-out loss rose while the training loss went on falling",
        evidence=evidence,
        sure="high" if ratio > RISE**2 else "medium",
        do=f"{fewer}, or load_best_model_at_end=true with save_strategy=best; then dropout=0.2 or more rows",
    )


def _scores(history: Sequence[Mapping[str, Any]]) -> tuple[str, list[float]] | None:
    """The first measure that is no loss, with its values."""
    name = next((name for entry in history for name in entry if name.startswith("eval_") and name != "eval_loss"), None)
    return None if name is None else (name.removeprefix("eval_"), [entry[name] for entry in history if name in entry])


def _score_lines(history: Sequence[Mapping[str, Any]]) -> list[str]:
    found = _scores(history)
    return [] if found is None else [f"{found[0]} {max(found[1]):.4f} at best, {found[1][-1]:.4f} at the end"]


def _nothing_right(history: Sequence[Mapping[str, Any]]) -> str | None:
    found = _scores(history)
    return found[0] if found is not None and max(found[1]) <= 0 else None
