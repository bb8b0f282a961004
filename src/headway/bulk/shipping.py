"""Pieces on their way to other processes and back: tables of one row, which nothing between can change.

Ray Data joins, splits and unifies the columns of the tables that it moves. So that each value arrives with the type that it had,
what is sent stands in a single cell, where Arrow's own format keeps the batches in it.
"""

import io
import pickle
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from headway.bulk.inputs import Piece
from headway.errors import HeadwayError

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_ROWS = 1024
BLOCK_BYTES = 1 << 20
"""What one worker gets at once: enough for full batches, little enough to be answered again where a worker dies."""


def blocks(pieces: Iterable[Piece], *, most_rows: int = BLOCK_ROWS) -> Iterator[list[Piece] | HeadwayError]:
    """The pieces, a few at a time; in the end the error, if reading met one."""
    source, block, rows, size = iter(pieces), list[Piece](), 0, 0
    while (found := _next(source)) is not None:
        if isinstance(found, HeadwayError):
            break
        block.append(found)
        rows, size = rows + len(found.rows), size + found.rows.batch.nbytes
        if rows >= most_rows or size >= BLOCK_BYTES:
            yield block
            block, rows, size = [], 0, 0
    if block:
        yield block
    if found is not None:
        yield found


def _next(pieces: Iterator[Piece]) -> Piece | HeadwayError | None:
    try:
        return next(pieces, None)
    except HeadwayError as error:
        return error


def packed(value: Any) -> "pa.Table":
    """The value in a table of one cell."""
    import pyarrow as pa

    class Packing(pickle.Pickler):
        def reducer_override(self, value: Any) -> Any:
            return (_batch, (_bytes(value),)) if isinstance(value, pa.RecordBatch) else NotImplemented

    stream = io.BytesIO()
    Packing(stream, protocol=5).dump(value)
    return pa.table({"packed": pa.array([stream.getvalue()], pa.large_binary())})


def unpacked(table: "pa.Table") -> list[Any]:
    """What stands in the cells of a table."""
    return [pickle.loads(cell) for cell in table.column("packed").to_pylist()]


def _bytes(batch: "pa.RecordBatch") -> bytes:
    """A batch alone: pickled as it is, a slice would bring along all that it was cut from."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _batch(data: bytes) -> "pa.RecordBatch":
    import pyarrow as pa

    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()
