"""All parts of a job as one table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.bulk.columns import ANSWERS, named_apart
from headway.bulk.merging import fitted_batch, merged, written
from headway.bulk.parts import Parts, kept_if_full, opened_part
from headway.core.files import atomic_file
from headway.tables import writer_of

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 1 << 16
GROUP_BYTES = 64 << 20
"""Rows are written in groups of this many, or fewer where they are large: for Parquet, whose readers take a group at a time."""


def assemble(parts: Parts, answers: "pa.Schema") -> None:
    """Write the table, which has its name only once it is whole; ``answers`` are the columns behind those of the input."""
    form, writer = writer_of(str(parts.output))
    files = parts.files()
    inputs = written(merged(_inputs(_schema(file)) for file in files), form)
    own = written(answers, form)
    names = named_apart(own.names, inputs.names)
    schema = _joined(inputs, own, names)
    with kept_if_full(parts.folder, parts.output), atomic_file(parts.output) as draft, writer(draft, schema) as write:
        for batch in _grouped(_batches(files, inputs, own, schema)):
            write(batch)


def _schema(part: Path) -> "pa.Schema":
    with opened_part(part) as reader:
        return reader.schema


def _inputs(schema: "pa.Schema") -> "pa.Schema":
    return schema.remove(schema.get_field_index(ANSWERS)).remove_metadata()


def _joined(inputs: "pa.Schema", answers: "pa.Schema", names: Sequence[str]) -> "pa.Schema":
    for field, name in zip(answers, names, strict=True):
        inputs = inputs.append(field.with_name(name))
    return inputs


def _batches(files: Sequence[Path], inputs: "pa.Schema", answers: "pa.Schema", schema: "pa.Schema") -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa

    for file in files:
        with opened_part(file) as reader:
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                given = fitted_batch(batch.select([name for name in batch.schema.names if name != ANSWERS]), inputs)
                found = fitted_batch(pa.RecordBatch.from_struct_array(batch.column(ANSWERS)), answers)
                yield pa.RecordBatch.from_arrays([*given.columns, *found.columns], schema=schema)


def _grouped(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    """The same rows in groups that do not depend on where the parts ended, unless the rows are large."""
    waiting, rows, size = list[Any](), 0, 0
    for whole in batches:
        batch = whole
        while rows + batch.num_rows >= GROUP_ROWS:
            head = batch.slice(0, GROUP_ROWS - rows)
            batch = batch.slice(GROUP_ROWS - rows)
            yield _one([*waiting, head])
            waiting, rows, size = [], 0, 0
        if batch.num_rows:
            waiting.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
        if size >= GROUP_BYTES:
            yield _one(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield _one(waiting)


def _one(batches: "list[pa.RecordBatch]") -> "pa.RecordBatch":
    import pyarrow as pa

    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
