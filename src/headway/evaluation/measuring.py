"""``evaluate()``: a model's answers to labelled rows, measured as they come; of each only what its measure needs is kept."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headway import __version__
from headway.errors import ConfigError, TaskError
from headway.evaluation import bootstrap
from headway.evaluation.forms import in_one_form
from headway.evaluation.glue import GlueSet, find_rows, glue_set
from headway.evaluation.labelling import label_names
from headway.evaluation.merging import is_inference, merged, told_apart
from headway.evaluation.report import Report
from headway.evaluation.rows import Data, Reader, data_of, find_columns
from headway.evaluation.running import Measure, Run, run
from headway.evaluation.schemes import as_written
from headway.inference import Pipeline, pipeline
from headway.tasks import Evaluation, Scorer, Task, task_names
from headway.tasks import task as find_task
from headway.tasks.classification_scorer import LabelScorer, LabelsScorer
from headway.tasks.entity_scorer import EntityScorer
from headway.tasks.references import label_place


def evaluate(
    model: Any,
    data: Any = None,
    *,
    task: str | None = None,
    glue: str | None = None,
    columns: Mapping[str, str] | None = None,
    labels: Mapping[Any, Any] | None = None,
    limit: int | None = None,
    worst: int = 0,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    progress: bool = False,
    **options: Any,
) -> Report:
    """How good a model's answers to labelled rows are.

    ``model`` is a pipeline, or whatever ``pipeline()`` takes, with its options. ``data`` is a file, or rows in memory; with
    ``glue="sst2"`` the folder that holds that set, or None to have it through ``datasets``. ``columns`` names columns by role
    where theirs are not usual names; ``labels`` says which of the model's labels each of the data's is. ``limit`` bounds the rows
    that are measured, and ``worst`` how many mistakes are kept. Intervals hold ``confidence`` of the ``resamples``. Rows without
    a reference are counted and left out; where no row has one, or one cannot be read, that is a ``DataError``. Rankings and
    sentence embeddings are measured on rows of all forms that they are learnt from.
    """
    bootstrap.check(confidence=confidence, resamples=resamples)
    _check_counts(limit, worst)
    known = None if glue is None else glue_set(glue)
    source = data_of(data if glue is None else find_rows(glue, data))
    given = isinstance(model, Pipeline)
    ready = model if given else pipeline(task or (known.task if known else None), model, **options)
    ready = ready.as_learnt()
    measure = prepare(ready, source, known, columns=columns or {}, labels=labels or {}, options=options if given else {})
    done = run(ready, measure, limit=limit, worst=worst, progress=progress)
    table_NK = measure.scorer.gather(done.observations)
    translate, seen = measure.reader.translate, done.counts.labels
    return Report(
        task=ready.task,
        model=str(model) if isinstance(model, str | Path) else str(ready.facts.folder or "a model in memory"),
        data=source.name if glue is None else f"GLUE {glue}, {source.name}",
        scores=measure.scorer.scores(table_NK),
        intervals=bootstrap.intervals(
            table_NK, measure.scorer.scores, confidence=confidence, resamples=resamples, seed=seed, progress=progress
        ),
        details=tuple(measure.scorer.details(table_NK)),
        official=known.official if known else (),
        notes=(*measure.notes, *translate.taken_by_number(seen, measure.labels), *translate.unmet(seen)),
        settings=_settings(ready, measure) | {"confidence": confidence, "resamples": resamples, "seed": seed, "limit": limit},
        **_found(done),
    )


def prepare(
    ready: Pipeline,
    source: Data,
    known: GlueSet | None,
    *,
    columns: Mapping[str, str],
    labels: Mapping[Any, Any],
    options: Mapping[str, Any],
) -> Measure:
    """What reads the rows and measures the answers, decided from the data's first row."""
    task = find_task(ready.task).as_learnt
    evaluation = evaluation_of(task)
    source, columns, arranged = in_one_form(source, task, columns)
    first, source = source.first()
    inputs, references = find_columns(task, evaluation, first, columns)
    in_data = known.labels if known else next(filter(None, map(source.label_names, references.values())), ())
    at_call = {**options, **evaluation.options}
    chosen = ready.choose(**{name: value for name, value in at_call.items() if name != "batch_size"})
    scorer, facts = evaluation.prepare(ready.facts, chosen), ready.facts
    said = {str(key): str(value) for key, value in labels.items()}
    own = scorer.labels if isinstance(scorer, LabelScorer | LabelsScorer) else ()
    translate, notes = label_names(said, in_data, own or tuple(ready.config.id2label.values()))
    if isinstance(scorer, LabelScorer) and is_inference(own):
        scorer, facts, joined = merged(scorer, facts, said.values() or in_data or told_apart(source, references["label"]))
        own, notes = scorer.labels, (*notes, *joined)
    if isinstance(scorer, EntityScorer):
        scorer, written = as_written(scorer, source, references["labels"], translate)
        notes = (*notes, *written)
    if known and len(known.labels) == 2 and isinstance(scorer, LabelScorer):
        scorer = _with_positive(scorer, translate(1))
    return Measure(
        scorer=scorer,
        reader=Reader(task, evaluation, facts, inputs, references, translate),
        source=source,
        options=at_call,
        chosen=chosen.to_dict(),
        labels=own,
        notes=(*arranged, *notes),
    )


def evaluation_of(task: Task) -> Evaluation:
    """How the task's answers are measured; a task whose answers are not is an error that says which are."""
    if task.evaluation is None:
        measured = ", ".join(name for name in task_names() if find_task(name).evaluation)
        raise TaskError(
            f"There is no measure of the answers of {task.name}, so they cannot be evaluated. Tasks that have one: {measured}. "
            "Name one of these, if the model does it."
        )
    return task.evaluation


def _with_positive(scorer: LabelScorer, label: Any) -> Scorer:
    """The scorer whose F1 is that of the label which the benchmark calls 1, whatever its place in the model."""
    return replace(scorer, positive=label_place(label, scorer.labels))


def _check_counts(limit: int | None, worst: int) -> None:
    for name, value, least in (("limit", limit, 1), ("worst", worst, 0)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise ConfigError(f"{name} is {value!r}, but it counts rows. Use a whole number from {least} on.")


def _found(done: Run) -> dict[str, Any]:
    return {
        "rows": len(done.observations),
        "left_out": done.counts.left_out,
        "tokens": done.tokens,
        "worst": done.worst.sorted(),
        "seconds": done.seconds,
    }


def _settings(ready: Pipeline, measure: Measure) -> dict[str, Any]:
    """What decided the answers, and the SHA-256 of the file with the rows."""
    path = Path(measure.source.name)
    digest = None
    if measure.source.is_file:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "headway": __version__,
        "engine": type(ready.engine).__name__,
        "precision": ready.engine.precision,
        "labels": dict(ready.config.id2label),
        "options": dict(measure.chosen),
        "columns": {**measure.reader.inputs, **measure.reader.references},
        "sha256": digest,
    }
