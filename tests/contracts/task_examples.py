"""Inputs for the tests that every task must pass.

Most need no entry: what a task reads follows from the roles of its table, and a text is made for each role. A task that wants
something else has an entry in ``EXAMPLES``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headway.tasks import Task

WORDS = ("the movie was great fun", "boring", "we hate it ; really , it is not very good", "a dog and two cats")
LONG = "a boring film , not good ! " * 40
"""Some 280 tokens; a tiny model reads 41."""

HEADS: dict[str, dict[str, Any]] = {"question-answering": {"num_labels": 2}}
"""Settings that a head needs."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a task is tried with."""

    items: tuple[Any, ...] = ()
    """Inputs of different lengths; by default made from the roles of the task's table."""
    long: Any = None
    """An input that is too long for the model; by default one whose every text is."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options without which the task has nothing to do."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the model."""


EXAMPLES: dict[str, Examples] = {
    "token-classification": Examples(
        items=("the movie was great fun", {"words": ["boring"]}, {"words": ["we", "hate", "it", ";", "really"]}),
        options={"aggregation_strategy": "first"},
    ),
    "fill-mask": Examples(
        items=("the [MASK] was great fun", "[MASK]", "we [MASK] it ; [MASK] , it is not very good"), long=f"a [MASK] film {LONG}"
    ),
    "zero-shot-classification": Examples(
        options={"candidate_labels": ["movie", "dog", "not very good"]},
        settings={"num_labels": 3, "id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}},
    ),
    "text-ranking": Examples(settings={"num_labels": 1}),
    "multiple-choice": Examples(
        items=tuple({"prompt": text, "choices": list(WORDS[: 2 + place])} for place, text in enumerate(WORDS[:3])),
        long={"prompt": LONG, "choices": [LONG, "boring"]},
    ),
}


def examples(task: Task) -> Examples:
    """The task's examples, whole."""
    named = EXAMPLES.get(task.name, Examples())
    return Examples(
        items=named.items or tuple(_item(task, place) for place in range(3)),
        long=task.table.item(dict.fromkeys(task.table.roles, LONG)) if named.long is None else named.long,
        options=named.options,
        settings={**HEADS.get(task.head, {}), **named.settings},
    )


def _item(task: Task, place: int) -> Any:
    """A text for each role, in a different order each time; the first input goes without the roles that a table may lack."""
    roles = [role for role in task.table.roles if place or role not in task.table.optional]
    return task.table.item({role: WORDS[(place + number) % len(WORDS)] for number, role in enumerate(roles)})
