"""Parquet: columns with types, in groups of rows; those that are done are skipped without being read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.errors import DataError
from headway.tables.form import Form, Opened, Write, check_names, without_first
from headway.tables.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 4096
GROUP_ROWS = 1 << 16


def read(opened: Opened, skip: int) -> Iterator[Rows]:
    """The rows, group by group."""
    from pyarrow import parquet

    if not opened.stream.seekable():
        raise DataError(
            f"{opened.name} cannot be read as Parquet, whose description stands at its end: the file has to be one that can be "
            "read from any place. Save standard input to a file, and do not compress Parquet once more."
        )
    file = parquet.ParquetFile(opened.stream, pre_buffer=False)
    check_names(file.schema_arrow.names, opened.name)
    groups = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
    first = 0
    while first < len(groups) and skip >= groups[first]:
        skip -= groups[first]
        first += 1
    return without_first(_rows(file, range(first, len(groups)), sum(groups[:first])), skip)


def _rows(file: Any, groups: range, done: int) -> Iterator[Rows]:
    total = max(file.metadata.num_rows, 1)
    for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, row_groups=list(groups)):
        done += batch.num_rows
        yield Rows(_decoded(batch), fraction=done / total)


def _decoded(batch: "pa.RecordBatch") -> "pa.RecordBatch":
    """The batch with plain columns for those that hold numbers of entries in a dictionary."""
    import pyarrow as pa

    if not any(pa.types.is_dictionary(field.type) for field in batch.schema):
        return batch
    arrays = [array.dictionary_decode() if pa.types.is_dictionary(array.type) else array for array in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, batch.schema.names)


@contextmanager
def writer(path: Path, schema: "pa.Schema") -> Iterator[Write]:
    """Writes a file with groups of as many rows as one gives at once."""
    from pyarrow import parquet

    with parquet.ParquetWriter(str(path), schema, compression="zstd") as file:
        yield lambda batch: file.write_batch(batch, row_group_size=GROUP_ROWS)


FORM = Form(name="parquet", suffixes=(".parquet", ".pq"), read=read, writer=writer)
