"""What other processes do for a job: one reads the rows, the others answer them. Nothing here knows who moves the tables."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.bulk.answering import answer, pipeline_identity
from headway.bulk.finishing import Finished, finished
from headway.bulk.inputs import Input, Piece, Place, Reading
from headway.bulk.parts import differences
from headway.bulk.shipping import blocks, packed, unpacked
from headway.errors import ConfigError, HeadwayError
from headway.inference import Pipeline, pipeline
from headway.tasks import task as find_task

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads the inputs of a job from a place on, as if from the folder where the job was begun."""

    inputs: Sequence[Input]
    task: str
    named: Mapping[str, str]
    start: Place
    folder: str
    block_rows: int

    def __call__(self) -> "Iterator[pa.Table]":
        """Blocks of pieces as tables; in the end the error, if reading met one."""
        reading = Reading(self.inputs, find_task(self.task).table, self.named)
        with chdir(self.folder):
            yield from map(packed, blocks(reading.pieces(self.start), most_rows=self.block_rows))


@dataclass(frozen=True, kw_only=True)
class Work:
    """What each worker has to know of a job."""

    arguments: Mapping[str, Any]
    """Those of ``pipeline``."""
    identity: Mapping[str, Any]
    """What decides the answers; a worker whose pipeline has another must not answer."""
    keep: tuple[str, ...] | None
    strict: bool


class Worker:
    """Answers blocks with a pipeline, which it makes when the first one comes."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.pipe: Pipeline | None = None

    def __call__(self, table: "pa.Table") -> "Iterator[pa.Table]":
        """Each piece of the table with its answers; in the end the error, if a row, or the block, is one."""
        for block in unpacked(table):
            yield from map(packed, [block] if isinstance(block, HeadwayError) else self._answers(block))

    def _answers(self, block: Sequence[Piece]) -> Iterator[Finished | HeadwayError]:
        try:
            pipe = self.pipe = self.pipe or _pipeline(self.work)
            for answered in answer(block, pipe, strict=self.work.strict):
                yield finished(answered, pipe, keep=self.work.keep)
        except HeadwayError as error:
            yield error


def _pipeline(work: Work) -> Pipeline:
    made = pipeline(**work.arguments)
    found = pipeline_identity(made)
    if found != work.identity:
        raise ConfigError(
            f"The machine {platform.node()} has another model under this name than the one where the job was begun: "
            f"{differences(work.identity, found)}. Put the same files on every machine, or name a folder that all of them share."
        )
    return made
