"""What one file in ``tables/`` says about its form of table: ``FORM``."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, TypeAlias

from headway.errors import DataError
from headway.tables.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

HEAD_BYTES = 4096


@dataclass(frozen=True)
class Opened:
    """A file that is being read: its name for messages, its bytes after decompression, and how much of it was read so far."""

    name: str
    stream: IO[bytes]
    fraction: Callable[[], float] = lambda: 0.0


class Write(Protocol):
    """Writes a record batch."""

    def __call__(self, batch: "pa.RecordBatch") -> None:
        """Write it after those before."""
        ...


Writer: TypeAlias = Callable[[Path, "pa.Schema"], AbstractContextManager[Write]]


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form of table: the files that have it, how it is read, and how it is written if it can be."""

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Opened, int], Iterator[Rows]]
    """The rows from an opened file without the first so many of them."""
    matches: Callable[[str, bytes], bool] | None = None
    """Whether a file with one of the suffixes has this form, from its name and its first bytes. Forms that ask come first."""
    writer: Writer | None = None
    """What writes tables of a schema to a path."""
    flat: bool = False
    """Whether cells are texts and numbers alone, so that lists and records have to be written as JSON text."""


class Rejoined(io.RawIOBase):
    """Bytes that were read already, and the rest of their stream."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # all that Python ever passes
        """Fill the buffer from what was read already, then from the rest."""
        if self._head:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            data = self._rest.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def check_names(names: Sequence[str], name: str) -> None:
    """Refuse a table two of whose columns have the same name."""
    twice = sorted({column for column in names if names.count(column) > 1})
    if twice:
        raise DataError(f"{name} has {twice[0]!r} twice among its columns, so nobody can tell which is meant. Rename one.")


def with_head(stream: IO[bytes], size: int = HEAD_BYTES) -> tuple[bytes, IO[bytes]]:
    """The first bytes of a stream, and the stream as if they had not been read."""
    head = stream.read(size)
    while 0 < len(head) < size and (more := stream.read(size - len(head))):
        head += more
    return head, io.BufferedReader(Rejoined(head, stream), 1 << 20)


def without_first(blocks: Iterator[Rows], skip: int) -> Iterator[Rows]:
    """The blocks without the first so many rows."""
    for block in blocks:
        if skip >= len(block):
            skip -= len(block)
        else:
            yield block.slice(skip) if skip else block
            skip = 0
