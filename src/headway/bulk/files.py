"""``predict_files``: the tables in files answered by a model, and written as one table."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from headway.bulk.inputs import FileInput, Input
from headway.bulk.job import Job, run_job
from headway.bulk.on_ray import pipeline_and_answers
from headway.bulk.progress import Progress
from headway.bulk.tally import Summary
from headway.core.extras import require_arrow
from headway.errors import ConfigError, DataError
from headway.inference import Pipeline
from headway.tables import STANDARD_INPUT, find_sources, form_named, writer_of


def predict_files(
    inputs: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    task: str | None = None,
    model: Any = None,
    columns: Mapping[str, str] | None = None,
    keep: Iterable[str] | None = None,
    form: str | None = None,
    strict: bool = False,
    restart: bool = False,
    progress: bool = False,
    **arguments: Any,
) -> Summary:
    """Answer every row of some tables and write them, with the answers beside, as Parquet, CSV or JSON Lines.

    ``inputs`` are paths, patterns such as ``"reviews/*.csv"``, or URIs of object stores, read in this order as one table; ``"-"``
    is standard input. The ending of ``output`` decides its form. ``columns`` names the columns that hold what the task reads, by
    role (``{"text": "body"}``); ``keep`` the columns of the input that the output has too, by default all. ``form`` says what
    the inputs are where their names do not. ``arguments`` are those of ``pipeline``, the task's options among them; with
    ``engine="ray"`` workers of Ray Data answer, on as many machines as its cluster has.

    A row that cannot be answered has the reason in its column ``error``; ``strict`` raises a ``DataError`` instead. A call that
    was killed goes on where it was when it is made again; what it needs for that lies in ``OUTPUT.parts`` until the output is
    written. ``restart`` begins anew.
    """
    require_arrow("Predicting tables")
    writer_of(str(output))
    found = file_inputs([inputs] if isinstance(inputs, str | Path) else inputs, form=form)
    pipe, answers = pipeline_and_answers(task, model, **arguments)
    job = job_of(found, output, pipe, columns=columns, keep=keep, strict=strict)
    return run_job(job, restart=restart, progress=Progress(shown=progress), answers=answers)


def file_inputs(words: Iterable[str | Path], *, form: str | None = None) -> list[Input]:
    """The files that paths, patterns and URIs name, in this order."""
    if form is not None:
        form_named(form)
    found: list[Input] = [FileInput(source) for word in words for source in find_sources(str(word), form=form)]
    if not found:
        raise DataError("No inputs are named, so there is nothing to answer. Name one or more files.")
    once = [source.name for source in found if source.once]
    if twice := next((name for name in once if once.count(name) > 1), None):
        what = "Standard input" if twice == STANDARD_INPUT else twice
        raise ConfigError(f"{what} is named twice, but it can be read only once. Name it once.")
    return found


def job_of(
    inputs: Iterable[Input],
    output: str | Path,
    pipe: Pipeline,
    *,
    columns: Mapping[str, str] | None = None,
    keep: Iterable[str] | None = None,
    strict: bool = False,
) -> Job:
    """The job that answers these inputs."""
    return Job(
        inputs=tuple(inputs),
        output=Path(output),
        pipeline=pipe,
        named=dict(columns or {}),
        keep=None if keep is None else tuple(keep),
        strict=strict,
    )
