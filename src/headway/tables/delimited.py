"""Tables with a separator between their cells: CSV and TSV. Every cell is a text, as it stands in the file: 007 stays 007.

An empty cell holds nothing; an empty text is a pair of quotes, as most writers of CSV have it.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.errors import DataError
from headway.tables.form import Opened, Write, check_names, with_head
from headway.tables.lines import as_texts
from headway.tables.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

HEADER_BYTES = 1 << 20
BLOCK_BYTES = 4 << 20
"""What Arrow reads at once; no row can be longer."""


@dataclass(frozen=True)
class Ragged:
    """Rows that have another number of cells than the header, by their place in the file; Arrow hands them out and goes on."""

    separator: str
    quote: str | None
    found: dict[int, str] = field(default_factory=dict)

    def __call__(self, row: Any) -> str:
        self.found[row.number - 2] = row.text  # Arrow counts from 1, and the header too
        return "skip"

    def cells(self, text: str) -> list[str]:
        """A row's cells."""
        if self.quote is None:
            return text.split(self.separator)
        return next(csv.reader([text], delimiter=self.separator), [])


def blocks(opened: Opened, *, separator: str, quote: str | None) -> Iterator[Rows]:
    """The rows of a table whose first row has the columns' names."""
    head, stream = with_head(opened.stream, HEADER_BYTES)
    names = _header(head, opened.name, Ragged(separator, quote))
    if not names or not _goes_on(head):
        return
    ragged, done = Ragged(separator, quote), 0
    for batch in _batches(stream, names, ragged, opened.name):
        rows = _with_ragged(batch, ragged, done, opened)
        done += len(rows)
        yield rows
    if ragged.found:  # behind the last whole row
        yield _with_ragged(_no_rows(names), ragged, done, opened, last=True)


def _header(head: bytes, name: str, form: Ragged) -> list[str]:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{name} is in UTF-16, but tables of text are read in UTF-8. Save it as UTF-8.")
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    lines = io.StringIO(text, newline="")
    if form.quote is None:
        names = next((form.cells(line.rstrip("\r\n")) for line in lines if line.strip()), [])
    else:
        names = next((row for row in csv.reader(lines, delimiter=form.separator) if row), [])
    check_names(names, name)
    return names


def _goes_on(head: bytes) -> bool:
    """Whether anything but the header can follow: Arrow refuses a file that ends without a line's end after it."""
    return b"\n" in head or b"\r" in head


def _batches(stream: Any, names: list[str], ragged: Ragged, name: str) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        yield from arrow_csv.open_csv(
            stream,
            read_options=arrow_csv.ReadOptions(
                column_names=names, skip_rows_after_names=1, use_threads=False, block_size=BLOCK_BYTES
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=ragged.separator,
                quote_char=ragged.quote or False,
                newlines_in_values=ragged.quote is not None,
                invalid_row_handler=ragged,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "straddling" not in str(error):
            raise
        raise DataError(
            f"{name} has a row of more than {BLOCK_BYTES >> 20} MiB, which is what is read at once: perhaps a quote was opened "
            "and never closed. Mend the row, or write the table as JSON Lines or Parquet."
        ) from error


def _with_ragged(batch: "pa.RecordBatch", ragged: Ragged, first: int, opened: Opened, *, last: bool = False) -> Rows:
    """The batch as texts, with the ragged rows among its own where they stood; ``first`` is the number of its first row."""
    import pyarrow as pa

    arrays, faults = _texts(batch)
    places = _places(ragged.found, first, batch.num_rows, last=last)
    if places:
        arrays, faults = _inserted(arrays, faults, {place: ragged.cells(ragged.found.pop(first + place)) for place in places})
    said = {place: f"Row {first + place + 1} of {opened.name} {reason}" for place, reason in sorted(faults.items())}
    return Rows(pa.RecordBatch.from_arrays(arrays, batch.schema.names), said, opened.fraction())


def _texts(batch: "pa.RecordBatch") -> "tuple[list[pa.Array], dict[int, str]]":
    found = [as_texts(array) for array in batch.columns]
    return [array for array, _ in found], {place: reason for _, bad in found for place, reason in bad.items()}


def _places(found: dict[int, str], first: int, rows: int, *, last: bool) -> list[int]:
    """Where among the rows of a batch ragged ones stood: each of them moves the end further."""
    places = list[int]()
    for number in sorted(found):
        if last or number - first < rows + len(places):
            places.append(number - first)
    return places


def _inserted(
    arrays: "list[pa.Array]", faults: dict[int, str], ragged: dict[int, list[str]]
) -> "tuple[list[pa.Array], dict[int, str]]":
    """The columns with ragged rows at their places: shorter ones end with nulls, longer ones are faults.

    In these rows an empty text is nothing too: the reader of single rows does not tell the two apart.
    """
    import pyarrow as pa

    columns = [array.to_pylist() for array in arrays]
    own = [place for place in range(len(columns[0]) + len(ragged)) if place not in ragged]
    faults = {own[place]: reason for place, reason in faults.items()}
    for place in sorted(ragged):
        row = ragged[place]
        for column, values in enumerate(columns):
            values.insert(place, (row[column] or None) if column < len(row) else None)
        if len(row) > len(columns):
            faults[place] = "has more fields than the header has columns. Quote fields that hold the separator."
    return [pa.array(values, pa.string()) for values in columns], faults


def _no_rows(names: list[str]) -> "pa.RecordBatch":
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array([], pa.binary())] * len(names), names)


@contextmanager
def csv_writer(path: Path, schema: "pa.Schema") -> Iterator[Write]:
    """Writes a header and rows, with quotes around every text so that an empty one differs from none."""
    from pyarrow import csv as arrow_csv

    quoting = "needed" if any(sign in name for name in schema.names for sign in ',"\r\n') else "none"
    with arrow_csv.CSVWriter(str(path), schema, write_options=arrow_csv.WriteOptions(quoting_header=quoting)) as table:
        yield table.write
