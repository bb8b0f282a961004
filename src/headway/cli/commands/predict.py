"""``headway predict``: answers to texts from the command line, and to tables in files."""

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from headway.cli._answers import shown
from headway.cli._options import columns_by_role, read_options
from headway.cli._texts import Wanted, wanted
from headway.cli.command import Command
from headway.errors import ConfigError
from headway.settings.prediction import PredictSettings

if TYPE_CHECKING:
    from headway.bulk.job import Answers, Job
    from headway.inference import Pipeline

TASK_FLAGS = ("top_k", "max_length", "overflow", "stride")


def run(settings: PredictSettings) -> None:
    """Answer the texts or files; print the answers or write them, and say what was done."""
    what = wanted(settings)
    _check(settings, what)
    ready, answers = make_pipeline(settings, what)
    if settings.out is not None:
        write(settings, what, ready, answers)
    elif what.texts or (what.files == ("-",) and settings.format is None and not settings.column):
        for item, answer in _answers(ready, what.texts):
            print(shown(item, answer))
    else:
        show(settings, what, ready)


def make_pipeline(settings: PredictSettings, what: Wanted) -> "tuple[Pipeline, Answers | None]":
    """The pipeline that the settings describe, and what answers rows in its place, if anything."""
    from headway.bulk.on_ray import pipeline_and_answers
    from headway.checkpoints import locate
    from headway.inference.pipelines import inferred_task
    from headway.tasks import task as find_task

    task = what.task or ("sentiment-analysis" if what.model is None else None)
    if settings.options:
        task = task or inferred_task(locate(what.model or "", revision=settings.revision))
    options = {name: value for name in TASK_FLAGS if (value := getattr(settings, name)) is not None}
    if settings.options:
        options |= read_options(settings.options, find_task(str(task)).options)
    return pipeline_and_answers(
        task,
        what.model,
        device=settings.device,
        engine=settings.engine,
        precision=settings.precision,
        batch_size=settings.batch_size,
        threads=settings.threads,
        revision=settings.revision,
        **options,
    )


def write(settings: PredictSettings, what: Wanted, ready: "Pipeline", answers: "Answers | None") -> None:
    """Answer every row, and write them with their answers."""
    from headway.bulk.job import run_job
    from headway.bulk.parts import parts_folder
    from headway.bulk.progress import Progress

    job = make_job(settings, what, ready)
    try:
        summary = run_job(job, restart=settings.restart, progress=Progress(), answers=answers)
    except KeyboardInterrupt:
        if parts_folder(job.output).is_dir():
            print("headway: what was answered is kept; the same command goes on with the rest.", file=sys.stderr)
        raise
    print(f"{summary}. Written to {settings.out}")


def show(settings: PredictSettings, what: Wanted, ready: "Pipeline") -> None:
    """Answer every row on the screen; what cannot be answered, and the sum of it all, is said beside."""
    from headway.bulk.answering import answer, items_of
    from headway.bulk.columns import answer_rows
    from headway.bulk.inputs import Place
    from headway.bulk.tally import Summary, Tally

    job, total, began = make_job(settings, what, ready), Tally(), time.monotonic()
    job.reading.check(Place(), ())
    for answered in answer(job.reading.pieces(Place()), ready, strict=settings.strict):
        items = items_of(answered.piece, job.reading.form)
        for item, found in zip(items, answered.found, strict=True):
            if isinstance(found, str):
                print(f"headway: {found}", file=sys.stderr)
            else:
                print(shown(item, found.answer))
        total.add(answered, answer_rows(answered, ready.prepared))
    print(Summary(total, before=0, tokens_before=0, seconds=time.monotonic() - began), file=sys.stderr)


def make_job(settings: PredictSettings, what: Wanted, ready: "Pipeline") -> "Job":
    """The job that the settings describe."""
    from headway.bulk.files import file_inputs, job_of
    from headway.bulk.inputs import GivenTexts
    from headway.tasks import task as find_task

    return job_of(
        [GivenTexts(what.texts)] if what.texts else file_inputs(what.files, form=settings.format),
        settings.out or "",
        ready,
        columns=columns_by_role(settings.column, find_task(ready.task).table.roles),
        keep=() if settings.keep == ("none",) else settings.keep,
        strict=settings.strict,
    )


def _check(settings: PredictSettings, what: Wanted) -> None:
    """Refuse, before any work, what cannot be done."""
    if settings.out is not None:
        from headway.core.extras import require_arrow
        from headway.tables import writer_of

        writer_of(str(settings.out))
        require_arrow("Writing answers")
    for flag, given in {"--column": bool(settings.column), "--format": settings.format is not None}.items():
        if what.texts and given:
            raise ConfigError(f"{flag} is about files, but texts are given. Leave it out, or put the texts into a file.")
    only_files = {"--keep": settings.keep is not None, "--restart": settings.restart, "--engine ray": settings.engine == "ray"}
    for flag, given in only_files.items():
        if given and settings.out is None:
            raise ConfigError(
                f"{flag} is about the file that is written, but none is named. Name it with --out, or leave {flag} out."
            )


def _answers(ready: "Pipeline", texts: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    """Each text, of standard input a line, with its answer; tables, which take a library more, are not needed for these."""
    if texts:
        yield from zip(texts, (found.answer for found in ready.stream(texts)), strict=True)
        return
    remembered = deque[str]()
    for found in ready.stream(_remembered(sys.stdin, remembered)):
        yield remembered.popleft(), found.answer


def _remembered(lines: Iterable[str], remembered: deque[str]) -> Iterator[str]:
    """The lines, each kept until its answer comes: the schedule reads ahead only a little."""
    for line in lines:
        remembered.append(line.rstrip("\r\n"))
        yield remembered[-1]


COMMAND = Command(summary="answer texts, or tables in files, with a model", settings=PredictSettings, run=run)
