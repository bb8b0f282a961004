"""Candidate labels, the sentences that they make, and the pairs of those with a text."""

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, Self

from headway.errors import InputError, TaskError
from headway.tasks.limits import window_stride

if TYPE_CHECKING:
    from headway.text.pairing import Ids, Pairing


def read_labels(labels: Any) -> tuple[str, ...]:
    """Candidate labels as they come: a list, or a text with commas between them; none for None."""
    if labels is None:
        return ()
    if isinstance(labels, str):
        labels = [label for label in map(str.strip, labels.split(",")) if label]
    if isinstance(labels, bytes | Mapping) or not (isinstance(labels, Iterable) and isinstance(labels, Sized)):
        raise TaskError(
            f"candidate_labels is {labels!r}, where a list of labels belongs. Write ['sports', 'politics'] or 'sports, politics'."
        )
    wrong = [label for label in labels if not isinstance(label, str)]
    if wrong:
        raise TaskError(
            f"The candidate label {wrong[0]!r} is a {type(wrong[0]).__name__}, but labels are words. Write it as a text."
        )
    if not len(labels):
        raise no_labels()
    return tuple(map(str, labels))  # plain ones, also of an array


def check_template(template: Any) -> None:
    """Refuse a template without a place for the label, or with anything else to fill in."""
    if not isinstance(template, str):
        raise TaskError(f"hypothesis_template is {template!r}, where a text belongs, such as 'This example is {{}}.'.")
    try:
        fields = [field for field in Formatter().parse(template) if field[1] is not None]
    except ValueError as error:
        raise TaskError(
            f"hypothesis_template is {template!r}, which cannot be filled in ({error}). Write {{}} for the label, and {{{{ or "
            "}} for a brace."
        ) from error
    if not fields:
        raise TaskError(
            f"hypothesis_template is {template!r}, which has no place for the label, so all labels would make the same sentence. "
            "Put {} where the label belongs."
        )
    names = [name for _, name, _, _ in fields]
    if not (names == [""] or set(names) == {"0"}) or any(how or conversion for _, _, how, conversion in fields):
        raise TaskError(
            f"hypothesis_template is {template!r}, but there is one thing to fill in, the label. Write {{}} for it once, {{0}} "
            "if several times, and {{ or }} for a brace."
        )


@dataclass(frozen=True)
class Hypotheses:
    """The sentences as tokens, those that are the same to the model once; ``places`` has each label's among them."""

    ids: Sequence["Ids"]
    places: Sequence[int]
    longest: str
    """The label whose sentence has the most tokens."""

    @classmethod
    def of(cls, labels: Sequence[str], template: str, pairing: "Pairing") -> Self:
        """The hypotheses of some labels."""
        if not labels:
            raise no_labels()
        found = [tuple(ids) for ids in pairing.ids([template.format(label) for label in labels])]
        distinct = list(dict.fromkeys(found))
        _, longest = max(zip(map(len, found), labels, strict=True), key=lambda one: one[0])
        return cls(distinct, [distinct.index(ids) for ids in found], longest)

    def pairs(
        self, premise: "Ids", pairing: "Pairing", *, overflow: Literal["truncate", "window", "error"], stride: int | None
    ) -> list[tuple["Ids", "Ids"]]:
        """The text with each hypothesis, window by window. Only the text is cut; with ``error`` nothing is.

        All hypotheses meet the same windows, which have room for the longest of them.
        """
        if overflow == "error":
            return [(premise, hypothesis) for hypothesis in self.ids]
        longest = max(map(len, self.ids))
        room = pairing.room - longest
        if room < min(1, len(premise)):
            raise InputError(
                f"The candidate label {_shown(self.longest)} makes {longest} tokens, so nothing of the text would be read: "
                f"the model reads {pairing.room} of both together, and a label's sentence is never cut. Use a shorter label or "
                "hypothesis_template, or a larger max_length."
            )
        if overflow == "truncate":
            return [pairing.shorten(premise, hypothesis, strategy="only_first") for hypothesis in self.ids]
        windows = pairing.windows(premise, room, stride=window_stride(stride, limit=room))
        return [(window, hypothesis) for window in windows for hypothesis in self.ids]


def no_labels() -> TaskError:
    """The error of a call, or a measure, without labels."""
    return TaskError(
        "There are no candidate labels, so there is nothing to choose from. Name them: candidate_labels=['sports', 'politics']."
    )


def _shown(label: str) -> str:
    return repr(label if len(label) <= 60 else label[:60] + "…")
