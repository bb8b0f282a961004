"""CSV: a header, commas between cells, quotes around cells that hold commas, quotes or line ends (RFC 4180)."""

from collections.abc import Iterator

from headway.tables.delimited import blocks, csv_writer
from headway.tables.form import Form, Opened, without_first
from headway.tables.rows import Rows


def read(opened: Opened, skip: int) -> Iterator[Rows]:
    """The rows under the header."""
    return without_first(blocks(opened, separator=",", quote='"'), skip)


FORM = Form(name="csv", suffixes=(".csv",), read=read, writer=csv_writer, flat=True)
