"""Where a command's texts come from: its arguments, standard input, a text file, or a table."""

import lzma
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core.compression import decompressed
from headway.errors import ConfigError, DataError
from headway.settings.prediction import PredictSettings
from headway.tables import read_rows

STANDARD_INPUT = "-"
UNREADABLE = (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError)


@dataclass(frozen=True)
class Source:
    """Texts, or pairs, as a task takes them. ``read`` starts from the beginning each time it is called, unless ``once``."""

    read: Callable[[], Iterator[Any]]
    once: bool = False


def source_of(settings: PredictSettings) -> Source:
    """What the settings name: either texts or a file."""
    if bool(settings.texts) == bool(settings.file):
        said = "Both texts and --file are given" if settings.file else "There is nothing to answer"
        raise ConfigError(f'{said}. Give texts (headway predict "I love it!") or a file (headway predict --file reviews.csv).')
    if settings.texts == (STANDARD_INPUT,) or str(settings.file) == STANDARD_INPUT:
        return Source(lambda: (_without_end(line) for line in sys.stdin), once=True)
    if settings.file is None:
        return Source(lambda: iter(settings.texts))
    file = settings.file
    if _is_text(file):
        _refuse_columns(settings)
        return Source(lambda: read_lines(file))
    return Source(lambda: read_table(file, text=settings.column, text_pair=settings.pair_column))


def read_lines(path: Path) -> Iterator[str]:
    """A text file's lines, each a text; an empty line is an empty text, so that answers and lines stay side by side."""
    try:
        with path.open("rb") as file, decompressed(file, path) as plain:
            for number, line in enumerate(plain):
                yield _without_end(line.decode("utf-8-sig" if number == 0 else "utf-8"))
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read ({error}). Check that it is there, whole, and in UTF-8.") from error


def read_table(path: Path, *, text: str | None, text_pair: str | None) -> Iterator[Any]:
    """A table's texts, or pairs where it has two text columns."""
    columns: dict[str, str] = {}
    for number, row in enumerate(read_rows(path), 1):
        columns = columns or _columns(row, path, text=text, text_pair=text_pair)
        yield _item(row, columns, where=f"Row {number} of {path}")


def _columns(row: Mapping[str, Any], path: Path, *, text: str | None, text_pair: str | None) -> dict[str, str]:
    from headway.tasks.columns import TEXTS

    named = {role: column for role, column in (("text", text), ("text_pair", text_pair)) if column is not None}
    try:
        return TEXTS.find(row, named)
    except DataError as error:
        raise DataError(f"{path}: {error} The flags are --column and --pair-column.") from error


def _item(row: Mapping[str, Any], columns: Mapping[str, str], *, where: str) -> Any:
    from headway.tasks.columns import TEXTS

    cells = {role: row.get(column) for role, column in columns.items()}
    for role, cell in cells.items():
        if not isinstance(cell, str):
            said = "nothing" if cell is None else f"the {type(cell).__name__} {cell!r}"
            raise DataError(
                f"{where} holds {said} in column {columns[role]!r}, where a text belongs. Correct the row, or name another "
                "column."
            )
    return TEXTS.item(cells)


def _is_text(path: Path) -> bool:
    kinds = [suffix for suffix in path.suffixes if suffix not in (".gz", ".xz")]
    return bool(kinds) and kinds[-1] == ".txt"


def _refuse_columns(settings: PredictSettings) -> None:
    if settings.column or settings.pair_column:
        raise ConfigError(
            f"{settings.file} is a text file, one text a line, and has no columns. Leave --column and --pair-column out."
        )


def _without_end(line: str) -> str:
    return line.rstrip("\r\n")


def count(texts: Iterable[Any]) -> int:
    """How many there are."""
    return sum(1 for _ in texts)
