"""Label names from a column of labels, and the index of each row's label among them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from headway.errors import DataError


def label_names(values: Iterable[Any]) -> tuple[str, ...]:
    """The distinct labels as text, sorted: as numbers where all are numbers, else as words.

    A column of nothing but None, empty text or -1, with which data sets mark rows whose label is withheld, has no labels.
    """
    distinct = {label_text(value) for value in values} - {""}
    if not distinct - {"-1"}:
        raise DataError(
            "There are no labels to learn from: every value in the label column is empty or -1, as in a test set whose "
            "labels are withheld. Give a file whose rows have labels."
        )
    return tuple(sorted(distinct, key=_order if all(map(_is_integer, distinct)) else str))


def label_index(value: Any, labels: Sequence[str]) -> int:
    """The place of a row's label among the names: by name, or else, where it is a number that is no name, by that number."""
    name = label_text(value)
    if name in labels:
        return labels.index(name)
    if _is_integer(name) and 0 <= int(name) < len(labels):
        return int(name)
    said = f"The label {value!r} is not one of {', '.join(labels)}" if name else "There is no label"
    raise DataError(f"{said}. Correct or remove the row, or name all labels.")


def label_text(value: Any) -> str:
    """The label as text; empty for a missing one. 1.0 is 1, since tables with gaps turn integers into floats."""
    if is_nothing(value):
        return ""
    if isinstance(value, (list, tuple, dict)):
        raise DataError(
            f"The label {value!r} is a {type(value).__name__}, but a text has one label here: a word or a whole number."
        )
    if isinstance(value, float):
        if not value.is_integer():
            raise DataError(
                f"The label {value!r} is a fraction, but a label is a word or a whole number. Turn scores into classes first."
            )
        value = int(value)
    return str(value).strip()


def is_nothing(value: Any) -> bool:
    """Whether a cell is empty: None, or the NaN that tables have for it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_integer(name: str) -> bool:
    return name.removeprefix("-").isdecimal()


def _order(name: str) -> int:
    return int(name)
