"""Text files read as a stream of lines: plain, ``.gz`` or ``.xz``."""

import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from headway.core.compression import decompressed
from headway.errors import DataError

BYTES_AT_ONCE = 100_000


def check_files(files: Iterable[str | Path]) -> list[Path]:
    """The files as paths; none, or one that is not there, is a ``DataError``."""
    if isinstance(files, str | Path):
        files = [files]
    paths = [Path(file) for file in files]
    if not paths:
        raise DataError("No files were given to read text from. Give the paths of one or more text files.")
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is not a file, so no text can be read from it. Give paths of text files, plain, .gz or .xz.")
    return paths


def read_lines(paths: Sequence[Path], *, progress: bool, doing: str) -> Iterator[str]:
    """Lines of all files, one after the other, with their line ends; the bar counts bytes on disk."""
    for lines in line_batches(paths, progress=progress, doing=doing, afterwards=doing):
        yield from lines


def line_batches(paths: Sequence[Path], *, progress: bool, doing: str, afterwards: str) -> Iterator[list[str]]:
    """Lines of all files, many at a time. ``afterwards`` says what the reader does when all are read."""
    from tqdm import tqdm

    total = sum(path.stat().st_size for path in paths)
    with tqdm(total=total, unit="B", unit_scale=True, desc=doing, disable=not progress) as bar:
        for path in paths:
            yield from _lines(path, bar)
        bar.set_description(afterwards)


def _lines(path: Path, bar: Any) -> Iterator[list[str]]:
    start = bar.n
    try:
        with path.open("rb") as file, decompressed(file, path) as text:
            while lines := text.readlines(BYTES_AT_ONCE):
                yield [line.decode("utf-8") for line in lines]
                bar.update(start + file.tell() - bar.n)
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as UTF-8 text ({error}). Check that it is whole and, if compressed, named .gz or .xz."
        ) from error
