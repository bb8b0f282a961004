"""What the label of a row means to a model: by name where it is a name of the model's, else by number."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from headway.errors import DataError
from headway.tasks.labels import is_nothing, label_text
from headway.tasks.task import ModelFacts

WITHHELD = ("", "-1")
"""How data sets mark a label that they do not tell."""
LARGEST = 3.4e38  # what a number of 32 bits can be, as answers are
GENERIC = re.compile(r"LABEL_\d+")


def folded(name: str) -> str:
    """A label's name without what people write one way or the other: ``Not_Duplicate`` is ``not duplicate``."""
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", name.casefold()).strip()


def are_generic(labels: Iterable[str]) -> bool:
    """Whether a model's labels have no names of their own, but ``LABEL_0`` and so on."""
    return all(GENERIC.fullmatch(label) or label.isdecimal() for label in labels)


def label_place(value: Any, labels: Sequence[str]) -> int:
    """The place of a reference among the model's labels.

    By name; else by name whatever its case, if that is one label alone; else, where it is a number and the names are none, by
    that number.
    """
    name, known = label_text(value), _spellings(tuple(labels))
    said = (name, folded(name), str(int(value)) if isinstance(value, bool) else name)
    for spelled, places in zip(said, known, strict=True):
        if spelled in places:
            return places[spelled]
    raise DataError(
        f"The label {value!r} is none of the model's: {', '.join(labels)}. Say which of them each of the data's labels is: "
        f"--labels {name or 'data'}={labels[0] if labels else 'model'} …, or labels={{…}} in Python."
    )


@lru_cache(maxsize=16)
def _spellings(labels: tuple[str, ...]) -> tuple[dict[str, int], ...]:
    """The places of the labels by their names, by names that are alike but for their spelling, and by number."""
    alike = Counter(map(folded, labels))
    return (
        {label: place for place, label in reversed(list(enumerate(labels)))},
        {folded(label): place for place, label in enumerate(labels) if alike[folded(label)] == 1},
        {} if any(map(str.isdecimal, labels)) else {str(place): place for place in range(len(labels))},
    )


def label_places(value: Any, labels: Sequence[str]) -> list[int]:
    """The places of a row's labels, of which there may be none: a list of them, or one numbers 0 and 1 for all labels in order.

    A text is one label, or several with commas between them.
    """
    if isinstance(value, str):
        value = [value] if value in labels else [part for part in map(str.strip, value.split(",")) if part]
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else [value]
    if len(values) == len(labels) > 1 and all(not isinstance(one, str) and one in (0, 1) for one in values):
        return [place for place, one in enumerate(values) if one]
    return sorted({label_place(one, labels) for one in values})


def number(value: Any) -> float:
    """A reference that is a number."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not abs(found) <= LARGEST or isinstance(value, bool):
        raise DataError(f"The reference is {value!r}, but this model gives numbers. Correct the row, or name another column.")
    return found


def label_is_withheld(cells: Mapping[str, Any], facts: ModelFacts) -> bool:
    """Whether a row does not tell its label: it is empty, or -1 where that is neither a label of the model's nor a number."""
    value = cells["label"]
    if is_nothing(value):
        return True
    labels = list(facts.config.id2label.values())
    plain = isinstance(value, str | int | float) and not is_regression(facts)
    return plain and label_text(value) in WITHHELD and label_text(value) not in labels


def label_is_untold(cells: Mapping[str, Any], facts: ModelFacts) -> bool:
    """``label_is_withheld`` for a label of the model's own; one that cannot be read is a ``DataError``, before any answer."""
    if label_is_withheld(cells, facts):
        return True
    labels = list(facts.config.id2label.values())
    if is_regression(facts):
        number(cells["label"])
    elif facts.config.problem_type == "multi_label_classification":
        label_places(cells["label"], labels)
    else:
        label_place(cells["label"], labels)
    return False


def is_regression(facts: ModelFacts) -> bool:
    """Whether the model gives a number rather than labels."""
    problem = facts.config.problem_type
    return problem == "regression" or (facts.config.num_labels == 1 and problem != "multi_label_classification")
