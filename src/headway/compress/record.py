"""What a distillation leaves beside the student and the table: settings, data, figures, environment, curves and card."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.compress.stages import Ended
from headway.compress.students import parameters
from headway.compress.table import Comparison
from headway.neural.model import EncoderModel
from headway.settings.distillation import DistillSettings
from headway.training.run_record import Record


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A student that has learnt. ``counts`` are the rows, or by ``unit`` what else there was, of each kind of data."""

    student: EncoderModel
    task: str
    ended: Ended
    comparison: Comparison
    counts: Mapping[str, int]
    unit: str = "rows"


def record_of(settings: DistillSettings, found: Finished) -> Record:
    """What is written of a run."""
    comparison = found.comparison
    name = None if comparison.measure is None else comparison.measure.replace(" ", "_")
    return Record(
        folder=Path(settings.output_dir),
        settings=settings,
        model=found.student,
        task=found.task,
        state=found.ended.state,
        result=found.ended.output,
        scores={} if name is None or comparison.student.score is None else {f"eval_{name}": comparison.student.score},
        data={role: data_of(settings, role, count, unit=found.unit) for role, count in found.counts.items()},
        command="distill",
        summary=summary(settings, found),
        always=ALWAYS,
    )


ALWAYS = ("recipe", "learning_rate", "per_device_train_batch_size", "num_train_epochs", "lr_scheduler_type", "optim", "seed")
"""Settings that the card shows although they are the usual ones."""


def summary(settings: DistillSettings, found: Finished) -> str:
    """What the student is, in a sentence or two."""
    comparison, teacher = found.comparison, Path(settings.teacher).name
    size = parameters(found.student)
    said = (
        f"A {found.student.config.model_type} model of {size:,} parameters for {found.task}, distilled from `{teacher}` "
        f"({comparison.teacher.parameters:,} parameters) by the recipe {settings.recipe}."
    )
    if comparison.retained is not None:
        kept = f"{comparison.student.score:.4f} of {comparison.teacher.score:.4f}"
        said += f" It keeps {100 * comparison.retained:.1f} % of its teacher's score ({comparison.measure}: {kept})."
    if comparison.faster is not None:
        said += f" It answers {comparison.faster:.2f} times as fast."
    return said


def data_of(settings: DistillSettings, role: str, count: int, *, unit: str) -> dict[str, Any]:
    """The files of one kind of data, with their hash and what they hold."""
    files = settings.files if role == "text" else (str(getattr(settings, role)),)
    each = [{"file": name, "sha256": _sha256(name)} for name in files]
    together = hashlib.sha256("".join(one["sha256"] for one in each).encode()).hexdigest()
    one = {"file": f"{len(each)} files", "sha256": together, "files": each} if len(each) > 1 else each[0]
    return {**one, "rows": count, **({} if unit == "rows" else {"unit": unit})}


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
