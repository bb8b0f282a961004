"""A piece with its answers as the parts of a job keep it: columns of Arrow, and what is counted of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.bulk.answering import AnsweredPiece
from headway.bulk.columns import answer_columns, answer_rows, answered_batch
from headway.bulk.tally import Tally
from headway.inference import Pipeline

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Finished:
    """A few rows with their answers beside them, and their counts."""

    batch: "pa.RecordBatch"
    tally: Tally
    fraction: float
    """How much of all inputs is read with them; 0 where nobody can know."""


@dataclass(frozen=True)
class Later:
    """A piece that is answered, to be finished by whoever has time for it."""

    fraction: float
    finish: Callable[[], Finished]


def finished(answered: AnsweredPiece, pipe: Pipeline, *, keep: Sequence[str] | None) -> Finished:
    """The piece with its answers as columns; ``keep`` are the columns of the input that stay, all where it is None."""
    rows, tally = answer_rows(answered, pipe.prepared), Tally()
    tally.add(answered, rows)
    columns = answer_columns(pipe.prepared, count_dropped=pipe.choose().count_dropped)
    return Finished(answered_batch(answered, rows, columns, keep=keep), tally, answered.piece.fraction)
