"""Rows from files: CSV, TSV and JSON Lines, plain or compressed with gzip or xz, read as a stream."""

import csv
import gzip
import json
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from headway.errors import DataError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
UNREADABLE = (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError, csv.Error)


def read_rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows of a table by column name, in order. CSV and TSV need a header line; JSON Lines holds one object a line.

    What cannot be read is a ``DataError`` that names the file and, where there is one, the line.
    """
    path = Path(path)
    kind = next((suffix for suffix in reversed(path.suffixes) if suffix not in (".gz", ".xz")), "")
    if kind not in SUFFIXES:
        raise DataError(
            f"{path} is no kind of table that can be read here. Known are {', '.join(SUFFIXES)}, each also with .gz or "
            ".xz behind it."
        )
    try:
        with path.open("rb") as file, decompressed(file, path) as plain:
            lines = (line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(plain))
            yield from _objects(lines, path) if "json" in kind else _records(lines, path, "\t" if kind == ".tsv" else ",")
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read ({error}). Check that it is there, whole, in UTF-8 and, if compressed, named .gz or .xz."
        ) from error


def decompressed(file: IO[bytes], path: Path) -> IO[bytes]:
    """The bytes of an open file after decompression, which its name's ending decides."""
    match path.suffix:
        case ".xz":
            return cast(IO[bytes], lzma.open(file))
        case ".gz":
            return cast(IO[bytes], gzip.open(file))
        case _:
            return file


def _objects(lines: Iterable[str], path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(
                f'Line {number} of {path} is not JSON ({error}). Each line must hold one object, such as {{"text": …}}.'
            ) from error
        if not isinstance(row, dict):
            raise DataError(
                f"Line {number} of {path} holds a JSON {type(row).__name__}, but each line must hold one object of columns."
            )
        yield row


def _records(lines: Iterable[str], path: Path, delimiter: str) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE)
    for row in reader:
        if None in row:
            raise DataError(
                f"Line {reader.line_num} of {path} has more fields than the header has columns. Quote fields that hold "
                "the separator."
            )
        yield row
