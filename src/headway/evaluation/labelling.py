"""What the labels of a data set are called by the model that is measured on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headway.tasks.labels import label_text
from headway.tasks.references import are_generic

MOST_LABELS = 100
"""How many labels of the data are remembered for what has to be said of them."""
SHOWN = 8
"""Labels that a note names."""


@dataclass(frozen=True)
class LabelNames:
    """From a data set's own labels to what the model may understand."""

    given: Mapping[str, str] = field(default_factory=dict)
    """What the caller says that each label of the data is among the model's."""
    names: tuple[str, ...] = ()
    """What the numbers of the data mean, where the data says so."""

    def __call__(self, value: Any) -> Any:
        """A reference, or each of a list of them, as the caller names it, else by the data's name for its number, else itself."""
        value = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(value, list | tuple):
            return [self(one) for one in value]
        if not isinstance(value, str | int) and not (isinstance(value, float) and value.is_integer()):
            return value
        text = label_text(value)
        if text in self.given:
            return self.given[text]
        if text.isdecimal() and int(text) < len(self.names):
            name = self.names[int(text)]
            return self.given.get(name, name)
        return value

    def taken_by_number(self, seen: Iterable[str], labels: Sequence[str]) -> tuple[str, ...]:
        """What has to be said where numbers without names met labels with names, and so were taken in the model's order."""
        numbers = sorted({label for label in seen if label.isdecimal()} - {*self.given, *labels}, key=int)
        if self.names or not numbers or are_generic(labels):
            return ()
        order = ", ".join(f"{number} is {labels[int(number)]}" for number in numbers[:SHOWN] if int(number) < len(labels))
        more = " …" if len(numbers) > SHOWN else ""
        return (
            f"The data's labels are numbers, taken in the model's order: {order}{more}. If they mean something else, say which "
            "is which with --labels, or labels= in Python.",
        )

    def unmet(self, seen: Iterable[str]) -> tuple[str, ...]:
        """What has to be said of labels that the caller named and no row has: they may be mistyped."""
        told = [*seen]
        met = {*told, *(self.names[int(one)] for one in told if one.isdecimal() and int(one) < len(self.names))}
        missing = [name for name in self.given if name not in met]
        if not missing or not 0 < len(told) < MOST_LABELS:  # beyond that number labels are not remembered
            return ()
        return (f"No row has the label {' or '.join(map(repr, missing))}, which --labels names. The data's: {_listed(met)}.",)


def _listed(labels: Iterable[str]) -> str:
    names = sorted(labels)
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")


def label_names(given: Mapping[str, str], names: Sequence[str], labels: Sequence[str]) -> tuple[LabelNames, tuple[str, ...]]:
    """The names to read references with, and what has to be said about them.

    Where the model's labels have no names, the data's numbers are taken as they are.
    """
    if not names or given or not are_generic(labels):
        return LabelNames(given, tuple(names)), ()
    order = ", ".join(names)
    note = (
        f"The model's labels have no names of their own ({', '.join(labels)}), so they are taken to stand in the data's order: "
        f"{order}. If they do not, say which is which with --labels, or labels= in Python."
    )
    return LabelNames(), (note,)
