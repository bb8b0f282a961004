"""Columns as CoNLL's shared tasks have them: a token a line, its tag in the last column, a blank line after each sentence.

Each sentence becomes a row with the columns ``tokens`` and ``ner_tags``. Columns stand apart by tabs, or else by spaces; those in
between (parts of speech, phrases) are left out, and so are the lines ``-DOCSTART-`` between documents. Tjong Kim Sang and De
Meulder, 2003, arXiv:cs/0306050.
"""

import re
from collections.abc import Iterator
from typing import Any

from headway.errors import DataError
from headway.tables.form import Form, Opened, without_first
from headway.tables.rows import Rows, rows_from

TAG = re.compile(r"O|[BIESLUMW]-\S+")
BETWEEN_DOCUMENTS = "-DOCSTART-"


def matches(name: str, head: bytes) -> bool:
    """Whether a file's first lines have several columns with a tag in the last one. The last line may have been cut."""
    lines = head.decode("utf-8-sig", "replace").split("\n")[:-1]
    rows = [fields for line in lines if (fields := _fields(line)) and not _holds_no_token(fields)]
    return len(rows) > 1 and all(len(fields) > 1 and TAG.fullmatch(fields[-1]) for fields in rows)


def read(opened: Opened, skip: int) -> Iterator[Rows]:
    """The sentences, in the order of the file."""
    return without_first(rows_from(records(opened)), skip)


def records(opened: Opened) -> Iterator[dict[str, Any]]:
    """The sentences as rows; a line without a tag is a ``DataError`` that says which."""
    tokens, tags = list[str](), list[str]()
    for number, line in enumerate(opened.stream, 1):
        fields = _fields(_text(line, number, opened.name))
        if not fields or fields[0] == BETWEEN_DOCUMENTS:
            if tokens:
                yield {"tokens": tokens, "ner_tags": tags}
                tokens, tags = [], []
        elif len(fields) > 1 and TAG.fullmatch(fields[-1]):
            tokens.append(fields[0])
            tags.append(fields[-1])
        elif not _holds_no_token(fields):
            raise DataError(
                f"Line {number} of {opened.name} ({' '.join(fields)!r}) has no tag in its last column. Each line holds a token "
                "and its tag, O or such as B-PER, and a blank line ends a sentence."
            )
    if tokens:
        yield {"tokens": tokens, "ner_tags": tags}


def _text(line: bytes, number: int, name: str) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"Line {number} of {name} is not UTF-8 ({error}). Save the file as UTF-8.") from error


def _fields(line: str) -> list[str]:
    """A line's columns; the first may be white space where tabs stand between them."""
    line = line.rstrip("\r\n")
    if "\t" in line.strip("\t "):
        return line.split("\t")
    return [field for field in line.strip("\t").split(" ") if field]


def _holds_no_token(fields: list[str]) -> bool:
    """Whether the line stands between documents, or is a comment."""
    return fields[0] == BETWEEN_DOCUMENTS or (fields[0].startswith("#") and not TAG.fullmatch(fields[-1]))


FORM = Form(name="conll", suffixes=(".txt", ".conll", ".iob", ".bio", ".iob2", ".tsv"), matches=matches, read=read)
