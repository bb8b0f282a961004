"""Fine-tuning from files, as ``headway train`` does it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from headway.checkpoints.configuration import AutoConfig
from headway.errors import ConfigError, DataError
from headway.evaluation.forms import by_role
from headway.evaluation.measuring import evaluation_of
from headway.evaluation.rows import find_columns
from headway.families import family as find_family
from headway.neural.loading import load_model
from headway.settings.changes import config_changes, named_columns
from headway.settings.training import TrainSettings
from headway.tables import read_rows
from headway.tasks import Task, Training
from headway.tasks import task as find_task
from headway.text import Tokenizer
from headway.training.loop import TrainOutput
from headway.training.run_record import Record, data_facts, write_record
from headway.training.sources import FileRows
from headway.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """A fine-tuning made ready: its rows, and a trainer that has learnt nothing yet."""

    settings: TrainSettings
    rows: Sequence[Mapping[str, Any]]
    valid: Sequence[Mapping[str, Any]] | None
    trainer: Trainer


def fine_tune(settings: TrainSettings, *, progress: bool = True) -> tuple[TrainOutput, dict[str, float]]:
    """A model trained on the file and saved with its tokenizer, and its scores on the validation file where there is one.

    Beside the model the folder gets what the run was: settings, data, figures, environment, curves and a card (``run_record``).
    """
    _check_output(settings)
    ready = prepare(settings, progress=progress)
    trainer = ready.trainer
    result = trainer.train()
    trainer.save_model()
    scores = {} if ready.valid is None else trainer.evaluate()
    trainer.reporter.advise(write_record(_record(ready, result, scores)))
    return result, scores


def _check_output(settings: TrainSettings) -> None:
    """Refuse to put what is learnt in the place of what it is learnt from."""
    base, output = Path(settings.model).expanduser(), Path(settings.output_dir)
    if base.is_dir() and base.resolve() == output.resolve():
        raise ConfigError(
            f"output_dir is {str(output)!r}, the folder of the model that is trained, which would be written over. Name another "
            "folder for the result: --output-dir."
        )


def prepare(
    settings: TrainSettings,
    *,
    rows: Sequence[Mapping[str, Any]] | None = None,
    valid: Sequence[Mapping[str, Any]] | None = None,
    labels: Sequence[Mapping[str, Any]] | None = None,
    progress: bool = True,
) -> FineTuning:
    """A new model for the data, and a trainer for it. Rows that are given stand in place of those of the files.

    ``labels`` are the rows that tell the labels, where those that are learnt may lack some.
    """
    torch.manual_seed(settings.seed)  # the new head's weights are part of what the seed decides
    task, learnt = find_task(settings.task), read_all(settings.train, settings) if rows is None else rows
    held_out = read_all(settings.valid, settings) if valid is None and settings.valid is not None else valid
    changes = label_changes(settings, task, labels or learnt) | _changes(settings)
    model = load_model(settings.model, head=task.head, config=None, keywords=changes)
    arguments = _without_evaluations(settings) if held_out is None else settings
    trainer = Trainer(
        model, arguments, train_dataset=learnt, eval_dataset=held_out, task=settings.task, progress=progress,
        processing_class=Tokenizer.from_pretrained(settings.model),
    )  # fmt: skip
    return FineTuning(settings=settings, rows=learnt, valid=held_out, trainer=trainer)


def _record(ready: FineTuning, result: TrainOutput, scores: Mapping[str, float]) -> Record:
    settings, trainer, task = ready.settings, ready.trainer, find_task(ready.settings.task)
    config = trainer.model.config
    names = {} if config.problem_type == "regression" else config.id2label
    named = {"train": (settings.train, ready.rows), "valid": (settings.valid, ready.valid)}
    return Record(
        folder=Path(settings.output_dir),
        settings=settings,
        model=trainer.model,
        task=task.name,
        state=trainer.state,
        result=result,
        scores=scores,
        base=settings.model,
        data={
            role: data_facts(path, rows, label_cells(task, rows, names))
            for role, (path, rows) in named.items()
            if path is not None and rows is not None
        },
    )


def _without_evaluations(settings: TrainSettings) -> TrainSettings:
    """The settings for a run without validation data: the usual evaluations are left out; whoever needs them is told."""
    return settings if settings.load_best_model_at_end else replace(settings, eval_strategy="no")


def label_cells(task: Task, rows: Sequence[Mapping[str, Any]], names: Mapping[int, str]) -> Iterator[Any]:
    """The labels of rows by name, where the task's references are labels: one a row, or several."""
    if task.trainable().objective is not None:
        return  # what is learnt are no labels
    _, columns = find_columns(task, evaluation_of(task), rows[0], {})
    column = columns.get("label") or columns.get("labels") or columns.get("tags")
    for row in rows if column else ():
        cell = row.get(str(column))
        several = cell if isinstance(cell, list | tuple) else [cell]
        yield [names.get(one, one) if isinstance(one, int) else one for one in several if isinstance(one, str | int)]


def label_changes(settings: TrainSettings, task: Task, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the references of the data say of the model's configuration: its labels, and what kind they are."""
    training = task.trainable()
    if training.objective is not None:
        return _without_labels(settings, training)
    _, columns = find_columns(task, evaluation_of(task), rows[0], {})
    references = ({role: row.get(column) for role, column in columns.items()} for row in rows)
    found = training.labels(references, settings.problem_type)
    changes: dict[str, Any] = {}
    if found.names:
        changes["id2label"] = dict(enumerate(_labels(found.names, settings.label_names)))
    if found.problem is not None:
        changes["problem_type"] = found.problem
    return changes


def _without_labels(settings: TrainSettings, training: Training) -> dict[str, Any]:
    """The same for tasks that learn no labels; settings of labels are then a ``ConfigError``."""
    for name in ("problem_type", "label_names"):
        if getattr(settings, name) is not None:
            raise ConfigError(f"{name} is {getattr(settings, name)!r}, but {settings.task} learns no labels. Leave it out.")
    found = training.labels((), None)
    return {"id2label": dict(enumerate(found.names)), "problem_type": found.problem} if found.names else {}


def read_all(path: str, settings: TrainSettings) -> Sequence[Mapping[str, Any]]:
    """The rows of a file, with the columns that the settings name called by what they hold; no rows are a ``DataError``."""
    rows = list(read_rows(path))
    if not rows:
        raise DataError(
            f"{path} has no rows, so there is nothing to learn from or to measure. Give a file with at least one row."
        )
    task = find_task(settings.task).as_learnt
    named = named_columns(settings.column)
    return FileRows(by_role(rows, task, evaluation_of(task), named) if named else rows, file=path)


def _labels(found: tuple[str, ...], named: tuple[str, ...] | None) -> tuple[str, ...]:
    if not named:
        return found
    if len(named) != len(found):
        raise ConfigError(
            f"label_names has {len(named)} names ({', '.join(named)}), but the data has {len(found)} labels ({', '.join(found)})."
        )
    return named


def _changes(settings: TrainSettings) -> dict[str, Any]:
    """What of the model's configuration is to be different: the settings named, and every dropout."""
    changes = config_changes(settings.model_settings)
    if settings.dropout is None:
        return changes
    defaults = find_family(AutoConfig.from_pretrained(settings.model).model_type).defaults
    rates = {name for name, value in defaults.items() if "dropout" in name and isinstance(value, float)}
    return dict.fromkeys(rates, settings.dropout) | changes
