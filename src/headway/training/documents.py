"""Documents for pre-training: from text files, from a column of tables, from standard input, or from Python."""

import io
import lzma
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from headway.errors import DataError
from headway.tables import STANDARD_INPUT, Source, find_sources, read_blocks, records
from headway.tables.forms import known_suffixes, suffix_of
from headway.tables.sources import URI
from headway.text.files import read_lines

TEXT = (".txt", ".text", ".gz", ".xz", ".bz2", "")
"""Endings of files that hold text, not a table."""
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"')\]”’])\s+")


def sources(words: Sequence[str | Path] | str | Path) -> list[str]:
    """The files that paths and patterns mean, each once, in order; one that is not there is a ``DataError``."""
    words = [words] if isinstance(words, str | Path) else words
    if not words:
        raise DataError("No files were given to read text from. Give the paths of one or more text files.")
    return list(dict.fromkeys(source.name for word in words for source in find_sources(str(word))))


def is_table(name: str) -> bool:
    """Whether a file is a table, by the ending of its name."""
    suffix = suffix_of(name)
    return suffix in known_suffixes() and suffix not in TEXT


def read_documents(name: str, *, column: str, progress: bool) -> Iterator[str]:
    """The documents of one file: the rows of a table, or what blank lines part in a text."""
    if name == STANDARD_INPUT:
        return documents(sys.stdin)
    if is_table(name):
        return _of_table(name, column, progress=progress)
    if URI.fullmatch(name):
        return _of_store(name)
    return documents(read_lines([Path(name)], progress=progress, doing=f"Tokenising {Path(name).name}"))


def documents(lines: Iterable[str]) -> Iterator[str]:
    """Documents from lines: a blank line ends one."""
    paragraphs: list[str] = []
    for line in lines:
        if line.strip():
            paragraphs.append(line)
        elif paragraphs:
            yield "".join(paragraphs)
            paragraphs = []
    if paragraphs:
        yield "".join(paragraphs)


def sentences(document: str, *, by_line: bool) -> list[str]:
    """The sentences of a document: its lines, or what full stops, question and exclamation marks end within them."""
    lines = [line.strip() for line in document.splitlines() if line.strip()]
    return lines if by_line else [part for line in lines for part in SENTENCE_END.split(line) if part]


def _of_store(name: str) -> Iterator[str]:
    """The documents of a text in an object store."""
    try:
        with Source(name).unpacked() as stream, io.TextIOWrapper(stream, encoding="utf-8") as lines:
            yield from documents(lines)
    except (EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise DataError(f"{name} cannot be read as UTF-8 text ({error}). Check that it is whole.") from error


def _of_table(name: str, column: str, *, progress: bool) -> Iterator[str]:
    from tqdm import tqdm

    with tqdm(total=100, unit="%", desc=f"Tokenising {Path(name).name}", disable=not progress) as bar:
        for rows in read_blocks(Source(name)):
            if column not in rows.batch.schema.names:
                raise DataError(
                    f"{name} has no column {column!r} with documents; it has {', '.join(rows.batch.schema.names)}. Name the one "
                    "with the text: --text-column."
                )
            for place, row in enumerate(records(rows.batch.select([column]))):
                yield _text(row[column], rows.faults.get(place), f"Row {place} of a block of {name}")
            bar.update(round(100 * rows.fraction) - bar.n)


def _text(value: object, fault: str | None, where: str) -> str:
    if fault is not None:
        raise DataError(fault)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(
            f"{where} holds a {type(value).__name__} where a document belongs. Name a column of texts: --text-column."
        )
    return value
