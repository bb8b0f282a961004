"""Which columns of a table hold the text, its pair and the label. Common names are known; any other can be named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headway.errors import DataError

PAIRS = (
    ("text", "text_pair"),
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("query", "passage"),
    ("text1", "text2"),
    ("sentence_A", "sentence_B"),
)
SINGLES = ("text", "sentence", "content", "review", "question", "title", "tweet", "comment", "document", "query")
LABELS = ("label", "labels", "class", "category", "target", "sentiment", "intent", "coarse_label", "gold_label")


@dataclass(frozen=True)
class TextColumns:
    """The columns that a model reads."""

    text: str
    text_pair: str | None = None


@dataclass(frozen=True)
class Columns:
    """The columns that a model reads and the one it learns to give."""

    text: str
    label: str
    text_pair: str | None = None


def find_columns(
    names: Iterable[str], *, text: str | None = None, text_pair: str | None = None, label: str | None = None
) -> Columns:
    """Text, pair and label columns; those named by the caller win over the known names."""
    names = list(names)
    label = label or next((known for known in LABELS if known in names), None)
    if label is None:
        raise DataError(
            f"There is no label column: none of {_list(LABELS)} is among the columns {_list(names)}. Name the one that "
            "holds the labels."
        )
    _require(label, names)
    found = find_text_columns(names, text=text, text_pair=text_pair, label=label)
    return Columns(found.text, label, found.text_pair)


def find_text_columns(
    names: Iterable[str], *, text: str | None = None, text_pair: str | None = None, label: str | None = None
) -> TextColumns:
    """Text and pair columns, neither of them the label; a text named alone is taken alone, whatever else is there."""
    names = list(names)
    for named in (text, text_pair):
        if named is not None:
            _require(named, names)
    if text is not None:
        return TextColumns(text, text_pair)
    free = [name for name in names if name not in (text_pair, label)]
    for first, second in PAIRS if text_pair is None else ():
        if first in free and second in free:
            return TextColumns(first, second)
    found = next((known for known in SINGLES if known in free), None)
    if found is None:
        known = ", ".join(dict.fromkeys([*SINGLES, *(first for first, _ in PAIRS)]))
        raise DataError(
            f"There is no text column: none of {known} is among the columns {_list(names)}. Name the one that holds the text."
        )
    return TextColumns(found, text_pair)


def _require(name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise DataError(f"There is no column {name!r}; the columns are {_list(names)}. Name one of these.")


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(str, names)) or "(none)"
