"""Fine-tuning from files, as ``headway train`` does it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from headway.checkpoints.configuration import AutoConfig
from headway.errors import ConfigError, DataError
from headway.evaluation.measuring import evaluation_of
from headway.evaluation.rows import find_columns
from headway.families import family as find_family
from headway.neural.loading import load_model
from headway.settings.changes import config_changes
from headway.settings.training import TrainSettings
from headway.tables import read_rows
from headway.tasks import Task
from headway.tasks import task as find_task
from headway.text import Tokenizer
from headway.training.loop import TrainOutput
from headway.training.trainer import Trainer


def fine_tune(settings: TrainSettings, *, progress: bool = True) -> tuple[TrainOutput, dict[str, float]]:
    """A model trained on the file and saved with its tokenizer, and its scores on the validation file where there is one."""
    torch.manual_seed(settings.seed)  # the new head's weights are part of what the seed decides
    task, rows = find_task(settings.task), _rows(settings.train)
    valid = None if settings.valid is None else _rows(settings.valid)
    changes = _label_changes(settings, task, rows) | _changes(settings)
    model = load_model(settings.model, head=task.head, config=None, keywords=changes)
    trainer = Trainer(
        model, settings, train_dataset=rows, eval_dataset=valid, processing_class=Tokenizer.from_pretrained(settings.model),
        task=settings.task, progress=progress,
    )  # fmt: skip
    try:
        result = trainer.train()
    finally:
        trainer.reporter.close()
    trainer.save_model()
    return result, {} if valid is None else trainer.evaluate()


def _label_changes(settings: TrainSettings, task: Task, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the references of the data say of the model's configuration: its labels, and what kind they are."""
    training = task.trainable()
    _, columns = find_columns(task, evaluation_of(task), rows[0], {})
    references = ({role: row.get(column) for role, column in columns.items()} for row in rows)
    found = training.labels(references, settings.problem_type)
    changes: dict[str, Any] = {}
    if found.names:
        changes["id2label"] = dict(enumerate(_labels(found.names, settings.label_names)))
    if found.problem is not None:
        changes["problem_type"] = found.problem
    return changes


def _rows(path: str) -> list[dict[str, Any]]:
    rows = list(read_rows(path))
    if not rows:
        raise DataError(
            f"{path} has no rows, so there is nothing to learn from or to measure. Give a file with at least one row."
        )
    return rows


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
