"""Plain text, one text a line: a table with the single column ``text``. An empty line is an empty text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from headway.tables.blocks import line_blocks
from headway.tables.form import Form, Opened, without_first
from headway.tables.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN = "text"


def read(opened: Opened, skip: int) -> Iterator[Rows]:
    """The lines as rows."""
    return without_first(_blocks(opened), skip)


def _blocks(opened: Opened) -> Iterator[Rows]:
    import pyarrow as pa

    for block in line_blocks(opened.stream):
        texts, bad = as_texts(pa.array(block.split(), pa.binary()))
        faults = {place: f"Line {block.first + place} of {opened.name} {reason}" for place, reason in bad.items()}
        yield Rows(pa.RecordBatch.from_arrays([texts], [COLUMN]), faults, opened.fraction())


def as_texts(array: "pa.Array") -> "tuple[pa.Array, dict[int, str]]":
    """Bytes as texts; where they are no UTF-8, the place and what is wrong, and a text with signs for what is not readable."""
    import pyarrow as pa

    try:
        return array.cast(pa.string()), {}
    except pa.ArrowInvalid:
        texts, faults = list[Any](), dict[int, str]()
        for place, value in enumerate(array.to_pylist()):
            try:
                texts.append(None if value is None else value.decode("utf-8"))
            except UnicodeDecodeError as error:
                faults[place] = f"is not UTF-8 ({error}). Save the file as UTF-8, or mend the line."
                texts.append(value.decode("utf-8", "replace"))
        return pa.array(texts, pa.string()), faults


FORM = Form(name="lines", suffixes=(".txt", ".text"), read=read)
