"""JSON Lines: one object a line.

Arrow reads a block of lines at once. It takes texts that look like times for times, which is prevented. Where it is too strict
for what a block holds (a column of several types, numbers beyond what it keeps, a line that is no object), or not right (lists
with nulls), Python's own reader takes that block line by line: one odd row costs the speed of its block.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.tables.blocks import Lines, line_blocks
from headway.tables.form import Form, Opened, Write, without_first
from headway.tables.rows import Rows, batch_of, records

if TYPE_CHECKING:
    import pyarrow as pa

LARGE_NUMBER = re.compile(rb"[:,\[]\s*-?\d{16}")
"""Whole numbers that a float of 64 bits may not hold, which is what Arrow makes of them beside fractions or beyond 63 bits."""


def read(opened: Opened, skip: int) -> Iterator[Rows]:
    """The objects as rows; blank lines are none."""
    return without_first(_blocks(opened), skip)


def _blocks(opened: Opened) -> Iterator[Rows]:
    for block in line_blocks(opened.stream):
        batch, faults = _read_by_arrow(block), dict[int, str]()
        if batch is None:
            batch, faults = _read_line_by_line(block, opened.name)
        if batch.num_rows:
            yield Rows(batch, faults, opened.fraction())


def _read_by_arrow(block: Lines) -> "pa.RecordBatch | None":
    """The rows of a block, or None where Arrow would not give them exactly as they stand there."""
    import pyarrow as pa

    data = block.data
    if LARGE_NUMBER.search(data) or b"\n\n" in data or b"\r\n\r\n" in data:
        return None
    try:
        data.decode("utf-8")  # Arrow checks no texts
        table = _parsed(data, None)
        if any(pa.types.is_nested(field.type) for field in table.schema):
            return None  # it makes false of null in lists
        if (plain := _without_times(table.schema)) != table.schema:
            table = _parsed(data, plain)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    lines = data.count(b"\n") + 1
    return _one_batch(table) if table.num_rows == lines and table.num_columns else None


def _parsed(data: bytes, schema: "pa.Schema | None") -> "pa.Table":
    import pyarrow as pa
    from pyarrow import json as arrow_json

    return arrow_json.read_json(
        pa.BufferReader(data),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=arrow_json.ParseOptions(explicit_schema=schema),
    )


def _one_batch(table: "pa.Table") -> "pa.RecordBatch":
    batches: list[Any] = table.combine_chunks().to_batches()
    return batches[0]


def _without_times(schema: "pa.Schema") -> "pa.Schema":
    """The schema with texts for times."""
    import pyarrow as pa

    return pa.schema([field.with_type(pa.string()) if pa.types.is_temporal(field.type) else field for field in schema])


def _read_line_by_line(block: Lines, name: str) -> "tuple[pa.RecordBatch, dict[int, str]]":
    found, faults = list[dict[str, Any]](), dict[int, str]()
    for number, line in enumerate(block.split(), block.first):
        if not line.strip():
            continue
        row = _object(line, f"Line {number} of {name}")
        if isinstance(row, str):
            faults[len(found)] = row
            row = {}
        found.append(row)
    return batch_of(found), faults


def _object(line: bytes, where: str) -> dict[str, Any] | str:
    """The object of a line, or what is wrong with it."""
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return f'{where} is not JSON ({error}). Each line must hold one object, such as {{"text": …}}.'
    if not isinstance(row, dict):
        array = " If the file is one array, end its name in .json." if isinstance(row, list) else ""
        return f"{where} holds a JSON {type(row).__name__}, but each line must hold one object of columns.{array}"
    return row


@contextmanager
def writer(path: Path, schema: "pa.Schema") -> Iterator[Write]:
    """Writes one object a line, with every column."""
    with path.open("wb", buffering=1 << 20) as file:

        def write(batch: "pa.RecordBatch") -> None:
            file.write(b"".join(_line(row) for row in records(batch)))

        yield write


def _line(row: dict[str, Any]) -> bytes:
    """A row as JSON in UTF-8; what no UTF-8 can hold is escaped."""
    try:
        return (json.dumps(row, ensure_ascii=False, default=str) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(row, default=str) + "\n").encode()


FORM = Form(name="jsonl", suffixes=(".jsonl", ".ndjson", ".json"), read=read, writer=writer)
