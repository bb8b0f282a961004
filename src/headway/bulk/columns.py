"""Answers as columns of Arrow, beside those of the input."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.bulk.answering import AnsweredPiece
from headway.bulk.merging import readable
from headway.inference.schedule import Answered
from headway.tasks import Column, Prepared

if TYPE_CHECKING:
    import pyarrow as pa

ERROR = Column("error", "text")
DROPPED = Column("dropped_tokens", "integer")
ANSWERS = "headway.answers"
"""The record of all answers of a row, behind the columns of the input, which may have the same names."""


def answer_columns(prepared: Prepared, *, count_dropped: bool) -> tuple[Column, ...]:
    """What a job adds to the columns of its input: the task's, the tokens that were left out if they are counted, the error."""
    return (*prepared.columns, *([DROPPED] if count_dropped else []), ERROR)


def arrow_type(column: Column) -> "pa.DataType":
    """The type of a column in Arrow."""
    import pyarrow as pa

    kinds = {"text": pa.string(), "number": pa.float32(), "integer": pa.int64(), "truth": pa.bool_()}
    kind = (
        kinds[column.kind] if isinstance(column.kind, str) else pa.struct([(part.name, arrow_type(part)) for part in column.kind])
    )
    for _ in range(column.depth):
        kind = pa.list_(kind)
    return kind


def answered_batch(
    answered: AnsweredPiece, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, keep: Sequence[str] | None
) -> "pa.RecordBatch":
    """The columns of the input that are kept, all where ``keep`` is None, then the answers as records."""
    import pyarrow as pa

    batch = answered.piece.rows.batch
    kept = [place for place, name in enumerate(batch.schema.names) if keep is None or name in keep]
    answers = pa.array(rows, pa.struct([(column.name, arrow_type(column)) for column in columns]))
    fields = [*(batch.schema.field(place) for place in kept), pa.field(ANSWERS, answers.type)]
    return pa.RecordBatch.from_arrays([*(batch.column(place) for place in kept), answers], schema=pa.schema(fields))


def answer_rows(answered: AnsweredPiece, prepared: Prepared) -> list[dict[str, Any]]:
    """Each row's answer by column, or its error."""
    return [_row(found, prepared) for found in answered.found]


def _row(found: Answered | str, prepared: Prepared) -> dict[str, Any]:
    if isinstance(found, str):
        return {ERROR.name: readable(found)}
    return {**prepared.row(found.answer), DROPPED.name: found.dropped}


def named_apart(names: Iterable[str], taken: Iterable[str]) -> list[str]:
    """The names of the answers' columns, with ``predicted_`` before those that the input has already."""
    apart, known = list[str](), set(taken)
    for name in names:
        while name in known:
            name = f"predicted_{name}"
        known.add(name)
        apart.append(name)
    return apart


def labels_in(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The best label of each answer, where the task gives labels."""
    found = [row.get("label") or next(iter(row.get("labels") or ()), None) for row in rows]
    plain = [one.get("label") if isinstance(one, Mapping) else one for one in found]
    return [label for label in plain if isinstance(label, str)]
