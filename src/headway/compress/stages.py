"""What the stages of every recipe share: the loop, the cache, what is saved, and the table at the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from headway.architecture.dropout import with_dropout
from headway.compress import table
from headway.compress.answers import teacher_identity
from headway.compress.students import Pair, parameters
from headway.compress.table import Comparison, Worth
from headway.neural.attention import PackedAttention
from headway.neural.model import EncoderModel
from headway.settings.distillation import DistillSettings
from headway.tasks.note import with_task
from headway.text import Tokenizer, with_note
from headway.training.callbacks import Callbacks, TrainerCallback
from headway.training.checkpoints import TrainerState
from headway.training.checks import check_trainable
from headway.training.loop import Job, TrainOutput, train
from headway.training.order import order_facts
from headway.training.processes import current
from headway.training.publishing import Publisher
from headway.training.reporting import Reporter
from headway.training.trackers import trackers


@dataclass(frozen=True)
class Ended:
    """A stage that has ended: how training went, and where it stands."""

    output: TrainOutput
    state: TrainerState


def run(
    settings: DistillSettings,
    job: Job,
    keepers: Sequence[TrainerCallback],
    *,
    progress: bool,
    doing: str = "Distilling",
    save: Callable[[Path], None] | None = None,
) -> Ended:
    """One stage, through the loop that all training goes through; ``save`` writes what may be published meanwhile."""
    reporter = Reporter(settings.output_dir, progress=progress, doing=doing)
    publishers = [Publisher(save)] if save is not None and settings.push_to_hub and current().is_first else []
    states: list[TrainerState] = []
    try:
        output = train(job, settings, reporter, Callbacks([*trackers(settings), *keepers, *publishers]), use=states.append)
    finally:
        reporter.close()
    return Ended(output, states[-1])


def saver(
    settings: DistillSettings, student: EncoderModel, tokenizer: Tokenizer, *, task: str | None = None
) -> Callable[[Path], None]:
    """What writes the student and its tokenizer to a folder that ``pipeline`` and transformers load; the first process does.

    ``task`` is what the student is taught, which its configuration notes with the longest text that it reads.
    """
    student.config = with_note(student.config, tokenizer)
    if task is not None:
        options = {} if settings.max_length is None else {"max_length": settings.max_length}
        student.config = with_task(student.config, task, options)

    def save(folder: Path) -> None:
        if current().is_first:
            student.save_pretrained(folder)
            tokenizer.save_pretrained(folder)

    return save


def identity_of(settings: DistillSettings, folder: Path) -> dict[str, Any]:
    """What a checkpoint of this distillation has to agree on."""
    return {"teacher": teacher_identity(folder), **settings.decisive(), **order_facts(settings)}


def cache_of(settings: DistillSettings) -> Path:
    """Where the teacher's answers are kept."""
    return Path(settings.teacher_cache or Path(settings.output_dir) / "teacher")


def make_ready(student: EncoderModel, settings: DistillSettings) -> None:
    """What the settings change of a student before it learns: which weights stay as they are, its dropout, and what it keeps."""
    if settings.freeze:
        student.freeze(*settings.freeze)
    check_trainable(student)
    if settings.gradient_checkpointing:
        student.gradient_checkpointing_enable()
    set_dropout(student, settings.dropout)


def set_dropout(student: EncoderModel, rate: float | None) -> None:
    """Another dropout everywhere while the student learns; its configuration keeps its own."""
    if rate is None:
        return
    student.architecture = with_dropout(student.architecture, rate)
    for module in student.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = rate
    for layer, parts in zip(student.layers, student.architecture.encoder.layers, strict=True):
        attention = layer.get_submodule("attention")
        assert isinstance(attention, PackedAttention)
        attention.parts = parts.attention


def compared(
    settings: DistillSettings,
    pair: Pair,
    scores: Sequence[float | None],
    measured: str | None,
    work: tuple[str, Sequence[Any]],
) -> Comparison:
    """Teacher and student side by side, timed in turns on the same inputs, ``work``, by the first process."""
    folders = [pair.folder, Path(settings.output_dir)]
    sizes, times = current().from_first(lambda: ([*map(table.megabytes, folders)], _speeds(settings, folders, work)))
    models = (pair.teacher, pair.student)
    names = (settings.teacher, settings.output_dir)
    sides = [
        Worth(
            name=Path(name).name,
            parameters=parameters(model),
            megabytes=size,
            texts_per_second=seconds,
            score=score,
        )
        for name, model, size, seconds, score in zip(names, models, sizes, times, scores, strict=True)
    ]
    facts = {"kept_layers": list(pair.kept), "seed": settings.seed, "data": list(settings.files) or settings.train}
    return Comparison(
        teacher=sides[0], student=sides[1], measure=measured, facts={**settings.decisive(), **facts, "valid": settings.valid}
    )


def _speeds(settings: DistillSettings, folders: Sequence[Path], work: tuple[str, Sequence[Any]]) -> Sequence[float | None]:
    task, items = work
    if not settings.measure_speed or not items:
        return [None for folder in folders]
    return table.speeds(folders, items[: table.ITEMS], task=task)
