"""A job from its first row to the table that it writes."""

import os
import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.bulk.answering import answer, pipeline_identity
from headway.bulk.assembling import assemble
from headway.bulk.columns import answer_columns, arrow_type
from headway.bulk.finishing import Finished, Later, finished
from headway.bulk.inputs import Input, Place, Reading
from headway.bulk.parts import Parts, parts_folder, parts_of
from headway.bulk.progress import Progress
from headway.bulk.tally import Summary, Tally
from headway.bulk.threads import Behind, ahead
from headway.errors import ConfigError, DataError
from headway.inference import Pipeline
from headway.tasks import Column
from headway.tasks import task as find_task

if TYPE_CHECKING:
    import pyarrow as pa

PART_SECONDS = 5.0
PART_ROWS = 1 << 17
PART_BYTES = 32 << 20
"""A part is written when it is so old or so large: what a killed job loses, and what a job holds in memory."""

Answers = Callable[["Job", Place], Generator[Later, None, None]]
"""Answers to all rows of a job from a place on, in order."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Tables that a pipeline answers, and how."""

    inputs: Sequence[Input]
    output: Path
    pipeline: Pipeline
    named: Mapping[str, str]
    """The columns that were named, by role."""
    keep: tuple[str, ...] | None = None
    """The columns of the input that the output keeps; all where it is None."""
    strict: bool = False

    @property
    def reading(self) -> Reading:
        """The rows, and which columns the task reads."""
        return Reading(self.inputs, find_task(self.pipeline.task).table, self.named)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the output has beside the columns of the input."""
        return answer_columns(self.pipeline.prepared, count_dropped=self.pipeline.choose().count_dropped)

    @property
    def once(self) -> bool:
        """Whether the inputs cannot be read again, so that nobody can go on with the job."""
        return any(source.once for source in self.inputs)

    def identity(self) -> dict[str, Any]:
        """What makes it this job: whoever goes on with it must have the same."""
        return {
            "inputs": [source.identity() for source in self.inputs],
            "columns": dict(self.named),
            "keep": self.keep if self.keep is None else list(self.keep),
            **pipeline_identity(self.pipeline),
        }


def run_job(job: Job, *, restart: bool = False, progress: Progress | None = None, answers: Answers | None = None) -> Summary:
    """Do the job, or what is left of it, and write its output; ``answers`` come from this process unless others are named."""
    began = time.monotonic()
    _check_output(job)
    if job.once and any(parts_folder(job.output).glob("*.arrow")):
        warnings.warn(
            "What comes from standard input or a pipe cannot be read again, so the job begins anew, and what an earlier run had "
            "done of it is thrown away.",
            stacklevel=2,
        )
    with _parts(job, restart=restart) as parts:
        total = Tally.from_dict(parts.state())
        before, tokens_before = total.rows, total.tokens
        if job.strict and total.errors:
            raise DataError(
                f"{total.errors:,} rows that are done already could not be answered, which --strict does not allow. Look at them "
                "without it, or begin anew with --restart."
            )
        if not parts.complete:
            _answer_rest(job, parts, total, progress or Progress(shown=False), answers or in_this_process)
            parts.finish()
        assemble(parts, _answer_schema(job.columns))
        parts.remove()
    return Summary(total, before=before, tokens_before=tokens_before, seconds=time.monotonic() - began)


def _check_output(job: Job) -> None:
    """Refuse an output that cannot take its name in the end, or would take that of an input."""
    if job.output.is_dir():
        raise ConfigError(f"{job.output} is a folder, but the answers are written to a file. Name a file in it.")
    for source in job.inputs:
        if job.output.is_file() and os.path.exists(source.name) and job.output.samefile(source.name):
            raise ConfigError(
                f"{job.output} is read and would be written over. Name another output, or leave it out of the inputs."
            )


def in_this_process(job: Job, start: Place) -> Generator[Later, None, None]:
    """Answers by the job's pipeline, while a thread reads ahead."""
    for answered in answer(ahead(job.reading.pieces(start)), job.pipeline, strict=job.strict):
        yield Later(answered.piece.fraction, partial(finished, answered, job.pipeline, keep=job.keep))


def _parts(job: Job, *, restart: bool) -> AbstractContextManager[Parts]:
    return parts_of(job.output, job.identity(), restart=restart or job.once)


def _answer_rest(job: Job, parts: Parts, total: Tally, progress: Progress, answers: Answers) -> None:
    """Answer the rows that no part holds, while a thread makes columns of the answers and writes them."""
    job.reading.check(total.place, job.keep or ())
    growing = _Growing(parts, total)
    writing = Behind(growing.add)
    try:
        with closing(answers(job, total.place)) as answered:
            for later in answered:
                writing.put(later.finish)
                progress.update(total.rows, later.fraction)
    finally:
        progress.close()
        writing.close()
        growing.flush()


class _Growing:
    """The part that is being made: rows gather until they are worth a file."""

    def __init__(self, parts: Parts, total: Tally) -> None:
        self.parts, self.total = parts, total
        self.batches: list[pa.RecordBatch] = []
        self.first, self.size, self.since = total.rows, 0, time.monotonic()

    def add(self, finish: Callable[[], Finished]) -> None:
        """Put a piece behind the others."""
        found = finish()
        self.batches.append(found.batch)
        self.size += found.batch.nbytes
        self.total.include(found.tally)
        old = time.monotonic() - self.since > PART_SECONDS
        if old or self.size > PART_BYTES or self.total.rows - self.first > PART_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the part, if it has rows."""
        if self.batches:
            self.parts.append(self.batches, self.total.to_dict(), first=self.first)
        self.batches, self.first, self.size, self.since = [], self.total.rows, 0, time.monotonic()


def _answer_schema(columns: Sequence[Column]) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(column.name, arrow_type(column)) for column in columns])
