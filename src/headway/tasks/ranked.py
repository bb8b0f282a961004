"""Answers that are the best of several things with their scores: how many are given, and in which form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from headway.tasks.table import Column
from headway.tasks.task import Call, TaskOptions, check_count


@dataclass(frozen=True, kw_only=True)
class RankedOptions(TaskOptions):
    """How many answers are given, and how those of windows are joined."""

    top_k: int | None = 1
    """How many to give, best first; None for all."""
    join: Literal["mean", "max", "first"] = "mean"
    """What the windows of a long text (``overflow="window"``) give together: the average or the largest of their scores, or those
    of the first."""

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k)


def best_first(scores: np.ndarray, top_k: int | None) -> list[int]:
    """The places of the highest scores, the earlier first where they are equal."""
    return [int(place) for place in np.argsort(-scores, kind="stable")[:top_k]]


def ranked_columns(one: Sequence[Column], name: str, top_k: int | None) -> tuple[Column, ...]:
    """The columns of one answer, or a list of such records where several may be asked for."""
    return tuple(one) if top_k == 1 else (Column(name, tuple(one), depth=1),)


def ranked_row(answer: Sequence[dict[str, Any]], name: str, top_k: int | None) -> dict[str, Any]:
    """An answer in those columns."""
    return answer[0] if top_k == 1 else {name: answer}


def present_ranked(answers: Sequence[Any], call: Call, top_k: int | None) -> Any:
    """One input's best alone, or a list where ``top_k`` was given; a list of either for a list of inputs."""
    found = [answer[0] for answer in answers] if top_k == 1 and "top_k" not in call.given else list(answers)
    return found if call.kind == "list" else found[0]
