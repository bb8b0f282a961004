"""One cell of a comparison: a model fine-tuned on one task with one seed, and measured. Its result is a file of its own."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headway.checkpoints import load_config
from headway.core.files import atomic_file
from headway.errors import DataError
from headway.evaluation import evaluate
from headway.evaluation.glue import find_rows, glue_set
from headway.evaluation.rows import data_of
from headway.families import family
from headway.settings.changes import named_values
from headway.settings.comparison import CompareSettings, published
from headway.settings.training import TrainSettings
from headway.training.checkpoints import states_in
from headway.training.finetuning import fine_tune


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A model, a task and a seed."""

    model: str
    task: str
    seed: int

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{plain(self.model)}.{self.task}.{self.seed}"


def plain(model: str) -> str:
    """A model's name as part of a file's."""
    return model.strip("/").replace("/", "--")


def cells(settings: CompareSettings) -> list[Cell]:
    """All of them, one seed after the other, so that a comparison that was stopped early has something of every model."""
    return [
        Cell(model=model, task=task, seed=seed) for seed in settings.seeds for task in settings.tasks for model in settings.models
    ]


def result_of(settings: CompareSettings, cell: Cell) -> dict[str, Any] | None:
    """What was found for the cell, if it was; a file of other settings is no result of these."""
    path = result_file(settings, cell)
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found if found["settings"] == training_of(settings, cell) | _extent(settings) else None


def result_file(settings: CompareSettings, cell: Cell) -> Path:
    """Where a cell's result is."""
    return Path(settings.output_dir) / "cells" / f"{cell.name}.json"


def model_folder(settings: CompareSettings, model: str) -> Path:
    """Where one fine-tuned form of a model is kept, to be timed."""
    return Path(settings.output_dir) / "models" / plain(model)


def training_of(settings: CompareSettings, cell: Cell) -> dict[str, Any]:
    """The settings of a cell's fine-tuning: the published ones, over them those given; texts no longer than the model reads."""
    config = load_config(cell.model)
    preset, reads = published(config.model_type), family(config.model_type).architecture(config, "base").encoder.max_tokens
    given = named_values(settings.train_settings, of="training", example="learning_rate=1e-4")
    length = settings.max_length if reads is None else min(settings.max_length, reads)
    return {**preset.usual, **preset.by_task.get(cell.task, {}), **given, "max_length": length, "seed": cell.seed}


def fill(settings: CompareSettings, cell: Cell, *, progress: bool = True) -> dict[str, Any]:
    """Fine-tune, measure, and write the result. Killed and called again, it goes on."""
    work = Path(settings.output_dir) / "work" / cell.name
    training, labels = training_of(settings, cell), glue_set(cell.task).labels
    arguments = TrainSettings.from_dict(
        {
            **{"eval_strategy": "no", "save_total_limit": 1, "save_steps": 200},
            **training,
            "model": cell.model,
            "train": str(training_file(settings, cell.task)),
            "output_dir": str(work),
            "label_names": labels or None,
        }
    )
    output, _ = fine_tune(arguments, progress=progress)
    report = evaluate(work, settings.data, glue=cell.task, limit=settings.limit, resamples=0, precision="fp32")
    official = glue_set(cell.task).official
    result = {
        "model": cell.model,
        "task": cell.task,
        "seed": cell.seed,
        "score": float(np.mean([report.scores[name] for name in official])),
        "scores": report.scores,
        "official": list(official),
        "rows": report.rows,
        "steps": output.global_step,
        "settings": training | _extent(settings),
    }
    _keep(settings, cell, work)
    with atomic_file(result_file(settings, cell)) as draft:
        draft.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(work, ignore_errors=True)
    return result


def training_file(settings: CompareSettings, task: str) -> Path:
    """The training rows, or as many of them as the limit allows, drawn once for all models, as JSON Lines."""
    source = find_rows(task, settings.data, split="train")
    if settings.train_limit is None and isinstance(source, Path):
        return source
    path = Path(settings.output_dir) / "data" / f"{task}.{settings.train_limit or 'all'}.jsonl"
    if not path.is_file():
        rows = list(data_of(source).rows())
        if not rows:
            raise DataError(
                f"The training rows of {task} in {source} are none, so there is nothing to learn from. Check the data."
            )
        chosen = np.random.default_rng(0).permutation(len(rows))[: settings.train_limit]
        with atomic_file(path) as draft:
            draft.write_text("".join(json.dumps(dict(rows[index])) + "\n" for index in chosen), encoding="utf-8")
    return path


def _keep(settings: CompareSettings, cell: Cell, work: Path) -> None:
    """Keep this form of the model where none is kept yet."""
    folder = model_folder(settings, cell.model)
    if not folder.is_dir():
        for checkpoint in states_in(work):
            shutil.rmtree(checkpoint)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(work, draft := folder.with_name(f".{folder.name}.part"), dirs_exist_ok=True)
        draft.rename(folder)


def _extent(settings: CompareSettings) -> dict[str, Any]:
    return {"train_limit": settings.train_limit, "limit": settings.limit}
