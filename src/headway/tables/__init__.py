"""Tables in files, read and written through Arrow: one file per form. Nothing imports ``pyarrow`` before a table is touched."""

from headway.tables.forms import form_named, form_of, writable_suffixes, writer_of
from headway.tables.reading import read_blocks, read_rows
from headway.tables.rows import Rows, batch_of, cells, records, rows_from
from headway.tables.sources import STANDARD_INPUT, Source, find_sources, names_files

__all__ = [
    "STANDARD_INPUT",
    "Rows",
    "Source",
    "batch_of",
    "cells",
    "find_sources",
    "form_named",
    "form_of",
    "names_files",
    "read_blocks",
    "read_rows",
    "records",
    "rows_from",
    "writable_suffixes",
    "writer_of",
]
