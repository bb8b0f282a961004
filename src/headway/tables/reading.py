"""Tables as blocks of rows, and row by row."""

import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headway.core.extras import require_arrow
from headway.errors import DataError, HeadwayError
from headway.tables.rows import Rows, records
from headway.tables.sources import Source


def read_blocks(source: Source, *, skip: int = 0) -> Iterator[Rows]:
    """The rows of a table without the first so many, many at a time and little in memory.

    A row that cannot be read has its reason among the block's ``faults``. A file that cannot be read is a ``DataError``.
    """
    require_arrow("Reading tables")
    import pyarrow as pa

    try:
        with source.opened() as (form, opened):
            yield from form.read(opened, skip)
    except HeadwayError:
        raise
    except (OSError, EOFError, lzma.LZMAError, zlib.error, pa.ArrowException) as error:
        raise DataError(
            f"{source.name} cannot be read ({error}). Check that it is there, whole, and what its name says, compressed or not."
        ) from error


def read_rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows of a table by column name, in order: CSV and TSV with a header line, JSON Lines, Parquet, or lines of text.

    What cannot be read is a ``DataError`` that names the file and, where there is one, the line or row.
    """
    for rows in read_blocks(Source(str(path))):
        for place, row in enumerate(records(rows.batch)):
            if place in rows.faults:
                raise DataError(rows.faults[place])
            yield row
