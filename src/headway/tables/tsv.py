"""TSV: a header, tabs between cells; quotes mean nothing."""

from collections.abc import Iterator

from headway.tables.delimited import blocks
from headway.tables.form import Form, Opened, without_first
from headway.tables.rows import Rows


def read(opened: Opened, skip: int) -> Iterator[Rows]:
    """The rows under the header."""
    return without_first(blocks(opened, separator="\t", quote=None), skip)


FORM = Form(name="tsv", suffixes=(".tsv", ".tab"), read=read)
