"""Whose score falls when a word is left out: which text loses words, what is asked about, and its score in an answer, by task.

Pure: answers come in and numbers go out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headway.errors import InputError

Span = tuple[int, int]
SOME_ANSWERS = 20
"""Answers among which that is sought which was given to the whole text."""


@dataclass(frozen=True)
class Target:
    """What is asked about: what it is called, its score with all words, and where it stands, if it is a part of the text."""

    label: str
    score: float
    span: Span | None = None

    def is_part(self, span: Span) -> bool:
        """Whether a word belongs to it: without it there is nothing to ask about."""
        return self.span is not None and span[0] < self.span[1] and span[1] > self.span[0]

    def without(self, span: Span, *, shorter: int) -> Span | None:
        """Where it stands in a text that is shorter by a word's characters, because this word was left out."""
        if self.span is None or span[0] > self.span[0]:
            return self.span
        return self.span[0] - shorter, self.span[1] - shorter


@dataclass(frozen=True, kw_only=True)
class Weighing:
    """How words are weighed for one task."""

    role: str
    """The text that words are left out of."""
    target: Callable[[Any, str | None], Target]
    """What is asked about, from the answer to the whole text, and the name that the request gives it."""
    score: Callable[[Any, Target, Span | None], float]
    """The score of the target in an answer to a shorter text, where it stands at this place; 0 where it is not found there."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that have to be so."""
    usual: Mapping[str, Any] = field(default_factory=dict)
    """Options that are so unless the request has them otherwise."""


def label_target(answer: Any, label: str | None) -> Target:
    """A label of a text, by default the best one."""
    scores = scores_of(answer)
    if label is None:
        label = next(iter(scores))
    if label not in scores:
        raise InputError(f"label is {label!r:.60}, which is none of the answer's: {', '.join(scores)}. Name one of these.")
    return Target(label, scores[label])


def scores_of(answer: Any) -> Mapping[str, float]:
    """The score of each label, in whichever form the task gives them, best first."""
    if isinstance(answer, Mapping):
        return dict(zip(answer["labels"], answer["scores"], strict=True))
    return {one["label"]: one["score"] for one in answer}


def entity_target(answer: Sequence[Mapping[str, Any]], label: str | None) -> Target:
    """The entity of the best score, among those of a kind or with a text if one is named."""
    found = [one for one in answer if label in (None, kind_of(one), one["word"])]
    if not found:
        known = ", ".join(dict.fromkeys(f"{one['word']} ({kind_of(one)})" for one in answer)) or "nothing"
        raise InputError(
            f"{'No entity' if label is None else repr(label[:60])} was found in this text, but {known}. Name another, or send "
            "another text."
        )
    best = max(found, key=lambda one: float(one["score"]))
    return Target(kind_of(best), best["score"], (best["start"], best["end"]))


def entity_score(answer: Sequence[Mapping[str, Any]], target: Target, place: Span | None) -> float:
    """The score of the entity of the same kind that stands where it stood, or at a part of it."""
    assert place is not None
    there = [one for one in answer if kind_of(one) == target.label and one["start"] < place[1] and one["end"] > place[0]]
    return max((float(one["score"]) for one in there), default=0.0)


def kind_of(entity: Mapping[str, Any]) -> str:
    """What an entity, or a token, is said to be."""
    return str(entity["entity_group"] if "entity_group" in entity else entity["entity"])


def answer_target(answer: Sequence[Mapping[str, Any]], label: str | None) -> Target:
    """The best answer to a question, or one that is named."""
    found = [one for one in answer if label in (None, one["answer"]) and one["answer"]]
    if not found:
        raise InputError("There is no such answer in the context, so no word drove it. Leave label out, or ask another question.")
    return Target(found[0]["answer"], found[0]["score"], (found[0]["start"], found[0]["end"]))


def answer_score(answer: Sequence[Mapping[str, Any]], target: Target, place: Span | None) -> float:
    """The score of the same words at the same place."""
    return next((float(one["score"]) for one in answer if (one["start"], one["end"]) == place), 0.0)


WEIGHED: Mapping[str, Weighing] = {
    "text-classification": Weighing(
        role="text",
        target=label_target,
        score=lambda answer, target, place: scores_of(answer)[target.label],
        options={"top_k": None},
    ),
    "zero-shot-classification": Weighing(
        role="text",
        target=label_target,
        score=lambda answer, target, place: scores_of(answer)[target.label],
        options={"top_k": None},
    ),
    "token-classification": Weighing(
        role="text", target=entity_target, score=entity_score, usual={"aggregation_strategy": "simple"}
    ),
    "question-answering": Weighing(role="context", target=answer_target, score=answer_score, options={"top_k": SOME_ANSWERS}),
}
