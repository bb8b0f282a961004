"""Rows as they come from a file: a record batch of Arrow, and which of them could not be read and why.

Arrow's columns have one type. Where the values of a JSON column have several, or cannot stand in Arrow at all (numbers beyond 64
bits, halves of surrogate pairs), the column holds each value as JSON text and its field is marked, so that nothing is lost:
``cells`` gives the values back.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

MARK = b"headway"
AS_JSON = {MARK: b"json"}
"""What the field of a column of JSON texts says of itself."""

ROWS_AT_ONCE = 1024
"""How many rows a block has at most when it is made of single rows."""


@dataclass(frozen=True)
class Rows:
    """Some rows that follow one another in a file."""

    batch: "pa.RecordBatch"
    faults: Mapping[int, str] = field(default_factory=dict)
    """By place in the batch why a row could not be read; what could be read of it stands in the batch."""
    fraction: float = 0.0
    """How much of the file was read when these rows were: 0 where nobody can know."""

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def slice(self, start: int, length: int | None = None) -> "Rows":
        """Some of the rows, without copying them."""
        stop = len(self) if length is None else min(len(self), start + length)
        faults = {place - start: reason for place, reason in self.faults.items() if start <= place < stop}
        return Rows(self.batch.slice(start, stop - start), faults, self.fraction)


def cells(batch: "pa.RecordBatch", name: str) -> list[Any]:
    """A column's values as Python has them."""
    place = batch.schema.names.index(name)
    return values_of(batch.column(place), batch.schema.field(place))


def values_of(array: Any, field: "pa.Field") -> list[Any]:
    """The values of an array, of which the field says how they stand there."""
    values: list[Any] = array.to_pylist()
    return [None if value is None else json.loads(value) for value in values] if is_json(field) else values


def is_json(field: "pa.Field") -> bool:
    """Whether a column holds its values as JSON texts."""
    return (field.metadata or {}).get(MARK) == AS_JSON[MARK]


def records(batch: "pa.RecordBatch") -> list[dict[str, Any]]:
    """The rows by column name."""
    names = batch.schema.names
    columns = [values_of(array, field) for array, field in zip(batch.columns, batch.schema, strict=True)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)] if names else [{}] * batch.num_rows


def rows_from(records: Iterable[Mapping[str, Any]], *, at_once: int = ROWS_AT_ONCE) -> Iterator[Rows]:
    """Single rows in blocks; a name that a row lacks is a null there."""
    block: list[Mapping[str, Any]] = []
    for record in records:
        block.append(record)
        if len(block) == at_once:
            yield Rows(batch_of(block))
            block = []
    if block:
        yield Rows(batch_of(block))


def batch_of(records: Sequence[Mapping[str, Any]]) -> "pa.RecordBatch":
    """A batch with all names that any of the rows has, in the order in which they come."""
    import pyarrow as pa

    names = dict.fromkeys(name for record in records for name in record)
    columns = [_column(name, [record.get(name) for record in records]) for name in names]
    if not columns:  # rows without a single name are rows all the same
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(records), pa.struct([])))
    return pa.RecordBatch.from_arrays([array for array, _ in columns], schema=pa.schema([field for _, field in columns]))


def _column(name: str, values: Sequence[Any]) -> "tuple[pa.Array, pa.Field]":
    import pyarrow as pa

    try:
        array = pa.array(_of_one_kind(values))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        array = pa.array([None if value is None else json.dumps(value) for value in values], pa.string())
        return array, pa.field(name, array.type, metadata=AS_JSON)
    return array, pa.field(name, array.type)


def _of_one_kind(values: Sequence[Any]) -> Sequence[Any]:
    """The values, unless truths and numbers are mixed, which Arrow would make the same."""
    kinds = {type(value) for value in values if value is not None}
    if bool in kinds and len(kinds) > 1:
        raise OverflowError("truth values and others")
    return values
