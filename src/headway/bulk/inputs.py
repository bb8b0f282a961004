"""What a job reads: texts that were given, and tables in files, one after the other, in small pieces."""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headway.errors import DataError
from headway.tables import Rows, Source, read_blocks, rows_from
from headway.tasks import TableForm

PIECE_ROWS = 256
"""Rows whose answers are turned into columns at once: Python's numbers take eight times the room of Arrow's."""


class Input(Protocol):
    """A table by parts."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def once(self) -> bool:
        """Whether it can be read only once."""
        ...

    def identity(self) -> dict[str, Any]:
        """What tells it from another: the same again after a restart, or else the job is another."""
        ...

    def read(self, skip: int) -> Iterator[Rows]:
        """Its rows without the first so many."""
        ...


@dataclass(frozen=True)
class FileInput:
    """A table in a file."""

    source: Source

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def once(self) -> bool:
        return self.source.once

    def identity(self) -> dict[str, Any]:
        """The file's name, size and time of change."""
        try:
            return self.source.identity()
        except OSError as error:
            raise DataError(f"{self.name} cannot be read ({error}). Check that it is there.") from error

    def read(self, skip: int) -> Iterator[Rows]:
        """The file's rows."""
        return read_blocks(self.source, skip=skip)


@dataclass(frozen=True)
class GivenTexts:
    """Texts as a table with the single column ``text``."""

    texts: tuple[str, ...]
    name: str = "the texts that were given"
    once: bool = False

    def identity(self) -> dict[str, Any]:
        """A hash of the texts."""
        return {"name": self.name, "sha256": hashlib.sha256("\0".join(self.texts).encode("utf-8", "replace")).hexdigest()}

    def read(self, skip: int) -> Iterator[Rows]:
        """One row a text."""
        return rows_from({"text": text} for text in self.texts[skip:])


@dataclass(frozen=True)
class Place:
    """How far a job has come: the number of the input, and of its rows that are done."""

    file: int = 0
    row: int = 0


@dataclass(frozen=True)
class Piece:
    """A few rows of one input, and what is needed to answer them."""

    rows: Rows
    columns: Mapping[str, str]
    """The column of each role."""
    name: str
    start: Place
    fraction: float
    """How much of all inputs is read with these rows; 0 where nobody can know."""

    @property
    def end(self) -> Place:
        """How far the job is when these rows are done."""
        return Place(self.start.file, self.start.row + len(self.rows))


@dataclass(frozen=True)
class Reading:
    """The inputs of a job and the columns that its task reads."""

    inputs: Sequence[Input]
    form: TableForm
    named: Mapping[str, str]

    def pieces(self, start: Place) -> Generator[Piece, None, None]:
        """All rows from a place on."""
        sizes = [float(source.identity().get("size", 0)) for source in self.inputs]
        before = [sum(sizes[:number]) for number in range(len(sizes))]
        total = sum(sizes) if all(sizes) else 0.0
        for number in range(start.file, len(self.inputs)):
            skip = start.row if number == start.file else 0
            for piece in self._pieces(number, skip):
                done = (before[number] + sizes[number] * piece.fraction) / total if total else 0.0
                yield Piece(piece.rows, piece.columns, piece.name, piece.start, done)

    def check(self, start: Place, keep: Sequence[str]) -> None:
        """Refuse, before any work, inputs that lack a column: a job should not stop for it after an hour."""
        missing = set(keep)
        for source in self.inputs[start.file :]:
            if source.once:
                return
            first = next(source.read(0), None)
            if first is not None:
                names = first.batch.schema.names
                if not names and first.faults:  # not one row could be read: that there is no column says nothing of why
                    raise DataError(next(iter(first.faults.values())))
                self._columns(names, source.name)
                missing -= set(names)
        if missing and start == Place():
            raise DataError(f"There is no column {min(missing)!r} to keep in {self.inputs[0].name}. Name a column that is there.")

    def _pieces(self, number: int, skip: int) -> Iterator[Piece]:
        source, row, columns = self.inputs[number], skip, dict[str, str]()
        for rows in source.read(skip):
            columns = columns or self._columns(rows.batch.schema.names, source.name)
            for start in range(0, len(rows), PIECE_ROWS):
                yield Piece(rows.slice(start, PIECE_ROWS), columns, source.name, Place(number, row + start), rows.fraction)
            row += len(rows)

    def _columns(self, names: Sequence[str], name: str) -> dict[str, str]:
        try:
            return self.form.find(names, dict(self.named))
        except DataError as error:
            raise DataError(
                f"{name}: {error} That is --column ROLE=NAME, where the roles are {', '.join(self.form.roles)}."
            ) from error
