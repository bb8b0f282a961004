"""``distill``: a smaller model from a larger one, in the stages that its recipe has, and a table of what became of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from headway.architecture.family import HeadName
from headway.checkpoints import load_config
from headway.compress import table
from headway.compress.answers import Answers, answers_from, kept_answers, teacher_identity
from headway.compress.embedding import distill_vectors
from headway.compress.jobs import matching_job, prediction_job
from headway.compress.language import TripleLoss
from headway.compress.matching import matching
from headway.compress.prediction import Prediction, check_labels, soft_of
from headway.compress.record import Finished, record_of
from headway.compress.rows import examples_of, measurable_of, rows_of
from headway.compress.stages import cache_of, compared, identity_of, make_ready, run, saver
from headway.compress.students import Pair, make_pair
from headway.compress.table import Comparison
from headway.compress.texts import TextReader, held_out_scores, read_text, text_job
from headway.compress.widths import add_maps, take_maps
from headway.errors import ConfigError
from headway.neural.model import EncoderModel
from headway.settings.distillation import MATCHING, DistillSettings
from headway.tasks import Example, ModelFacts, Task, task_of
from headway.tasks import task as find_task
from headway.tasks.note import noted_task
from headway.text import Tokenizer, check_tokenizer
from headway.training.batch import LossSum
from headway.training.callbacks import TrainerCallback
from headway.training.labelled import Measurable
from headway.training.loop import TrainOutput
from headway.training.measuring import measure
from headway.training.objectives.heads import objective_of
from headway.training.processes import current, join
from headway.training.reporting import Reporter
from headway.training.rows import fingerprint
from headway.training.run_record import write_record
from headway.training.step import mixed_precision

Read = TypeVar("Read")

PATIENCE = 12 * 3600
"""Seconds that processes wait for the first one, which may have a whole set of texts to ask the teacher about."""

MATCHED = "matching"
"""The folder of the first of two stages, inside the run's."""

WHOLE_TEXTS = frozenset({"sequence-classification", "multiple-choice"})
"""The heads whose scores are of a text, whatever its tokens are."""


@dataclass(frozen=True)
class Distilled:
    """A finished distillation: how training went, and teacher and student side by side."""

    output: TrainOutput
    comparison: Comparison


def distill(settings: DistillSettings, *, progress: bool = True) -> Distilled:
    """The student, saved in ``output_dir`` with its tokenizer and the table; killed and called again, it goes on.

    Of several processes that ``torchrun`` started the first asks the teacher what is kept of its answers, and measures and writes
    in the end; all of them learn.
    """
    processes = join(timeout_seconds=PATIENCE)
    torch.manual_seed(settings.seed)
    is_shown = (progress if settings.disable_tqdm is None else not settings.disable_tqdm) and processes.is_first
    stage = distill_vectors if settings.recipe == "embeddings" else _general if settings.is_general else _specific
    found = stage(settings, progress=is_shown)
    if processes.is_first:
        table.write(Path(settings.output_dir), found.comparison)
        Reporter(settings.output_dir, progress=is_shown).advise(write_record(record_of(settings, found)))
    processes.wait()
    return Distilled(found.ended.output, found.comparison)


@dataclass(frozen=True)
class Readers:
    """The tokenizers of both; one and the same where tokens are compared."""

    teacher: Tokenizer
    student: Tokenizer

    @property
    def are_one(self) -> bool:
        """Whether both read alike."""
        return self.teacher.fingerprint == self.student.fingerprint


def prepare(settings: DistillSettings, head: HeadName) -> tuple[Pair, Readers]:
    """Teacher and student, and what they read with."""
    pair = make_pair(settings, head)
    shared = Tokenizer.from_pretrained(settings.teacher)
    saved = None if settings.student is None or settings.student.endswith(".json") else settings.student
    readers = Readers(shared, shared if saved is None else Tokenizer.from_pretrained(saved))
    if not readers.are_one and (settings.recipe != "logits" or head not in WHOLE_TEXTS):
        raise ConfigError(
            f"The student {settings.student} has another tokenizer than the teacher, so their tokens cannot be compared. "
            "Take a student with the teacher's tokenizer, or a recipe that compares whole texts: embeddings, or logits where "
            "each text has one answer."
        )
    check_tokenizer(readers.student, pair.student.config)
    return pair, readers


def _general(settings: DistillSettings, *, progress: bool) -> Finished:
    """From plain text: what the teacher knows of language."""
    is_masked = settings.recipe == "distilbert"
    pair, readers = prepare(settings, "masked-lm" if is_masked else "base")
    teacher, student, tokenizer = pair.teacher, pair.student, readers.student
    reader, held_out, text = read_text(settings, tokenizer, student, progress=progress)
    loss = TripleLoss(settings, teacher) if is_masked else matching(settings, teacher, student)
    make_ready(student, settings)
    keepers, save = _maps(settings, pair), saver(settings, student, tokenizer)
    job = text_job(reader, held_out, loss, {"text": text, **identity_of(settings, pair.folder)})
    ended = run(settings, job, keepers, progress=progress, save=save)
    take_maps(student)
    scores = _accuracies(held_out, (teacher, student), lambda model, batch: torch.zeros(())) if is_masked else [None, None]
    save(Path(settings.output_dir))
    work = ("feature-extraction", reader.strings(table.ITEMS))
    return Finished(
        student=student,
        task="fill-mask" if is_masked else "feature-extraction",
        ended=ended,
        comparison=compared(settings, pair, scores, "masked tokens found" if is_masked else None, work),
        counts={"text": len(reader.pieces.corpus.ends)},
        unit="documents",
    )


def _specific(settings: DistillSettings, *, progress: bool) -> Finished:
    """From rows of a task: how the teacher does it."""
    task = _task(settings)
    pair, readers = prepare(settings, task.head)
    teacher, student, tokenizer = pair.teacher, pair.student, readers.student
    read_by = [ModelFacts(tokenizer=one, config=teacher.config, folder=pair.folder) for one in (readers.teacher, tokenizer)]
    assert settings.train is not None
    rows = task.trainable().arranged(rows_of(settings.train))
    asked, examples = _each(readers, read_by, lambda facts: _examples(settings, task, facts, rows))
    check_labels(settings, examples)
    valids = _each(readers, read_by, lambda facts: None if settings.valid is None else _valid(settings, task, facts))
    valid = valids[1]
    answers = cached_answers(settings, pair, asked, progress=progress)
    make_ready(student, settings)
    if settings.recipe in MATCHING:
        _match(settings, pair, examples, progress=progress)
    keepers, save = _maps(settings, pair) if settings.weights[2] else [], saver(settings, student, tokenizer, task=task.name)
    evaluate = None if valid is None else (lambda: _scores(settings, student, valid))
    loss = Prediction(settings, teacher, soft_of(student))
    job = prediction_job(
        settings, student, examples, answers, loss_sum=loss, evaluate=evaluate, identity=identity_of(settings, pair.folder)
    )
    ended = run(settings, job, keepers, progress=progress, save=save)
    take_maps(student)
    save(Path(settings.output_dir))
    sides = zip((teacher, student), valids, strict=True)
    found = [None if rows_held is None else _headline(settings, model, rows_held) for model, rows_held in sides]
    name = None if found[1] is None else found[1][0]
    work = (task.name, _items(task, rows))
    return Finished(
        student=student,
        task=task.name,
        ended=ended,
        comparison=compared(settings, pair, [one and one[1] for one in found], name, work),
        counts={"train": len(rows), **({} if valid is None else {"valid": len(valid.examples)})},
    )


def _each(readers: Readers, read_by: Sequence[ModelFacts], read: Callable[[ModelFacts], Read]) -> tuple[Read, Read]:
    """What the teacher reads and what the student does, read once where that is the same."""
    students = read(read_by[1])
    return (students if readers.are_one else read(read_by[0])), students


def _examples(settings: DistillSettings, task: Task, facts: ModelFacts, rows: Sequence[Mapping[str, Any]]) -> list[Example]:
    return examples_of(rows, task, facts, name=str(settings.train), max_length=settings.max_length)


def cached_answers(settings: DistillSettings, pair: Pair, examples: Sequence[Example], *, progress: bool) -> Answers:
    """The teacher's answers to the examples, from the cache where they are."""
    precision = mixed_precision(pair.teacher.device, bf16=False)
    sequences = [sequence for example in examples for sequence in example.sequences]
    return current().first_before_others(
        lambda: kept_answers(
            cache_of(settings),
            identity=[teacher_identity(pair.folder), pair.teacher.head_name, fingerprint(examples)],
            count=len(sequences),
            make=lambda first: answers_from(first, pair.teacher, sequences, precision),
            progress=progress,
        )
    )


def _match(settings: DistillSettings, pair: Pair, examples: Sequence[Example], *, progress: bool) -> None:
    """The first stage on rows of a task, in a folder of its own; one that has ended is not done again."""
    first = replace(
        settings,
        output_dir=str(Path(settings.output_dir) / MATCHED),
        num_train_epochs=settings.matching_epochs,
        learning_rate=settings.matching_learning_rate,
        max_steps=-1 if settings.max_steps < 1 else settings.max_steps,
        eval_strategy="no",
        load_best_model_at_end=False,
    )
    loss = matching(settings, pair.teacher, pair.student)
    job = matching_job(first, pair.student, examples, loss, identity_of(settings, pair.folder))
    run(first, job, _maps(settings, pair, stage=MATCHED), progress=progress, doing="Matching")
    take_maps(pair.student)


def _maps(settings: DistillSettings, pair: Pair, *, stage: str = "") -> list[TrainerCallback]:
    """The learnt maps that this stage needs where widths differ."""
    matches_states = settings.recipe == "tinybert" and (stage == MATCHED or settings.is_general)
    names = ("states",) if matches_states else ("last",) if settings.recipe not in MATCHING and settings.weights[2] else ()
    return add_maps(pair.student, names, width=pair.teacher.architecture.encoder.hidden_size) if names else []


def _task(settings: DistillSettings) -> Task:
    """The task of the rows: as named, or what the teacher was saved for."""
    config = load_config(settings.teacher)
    task = find_task(settings.task or noted_task(config) or task_of(config))
    if task.learning is not None:
        raise ConfigError(
            f"The task {task.name} has vectors for answers, which the recipe {settings.recipe} does not learn. Use the recipe "
            "embeddings."
        )
    task.trainable()
    return task


def _valid(settings: DistillSettings, task: Task, facts: ModelFacts) -> Measurable:
    assert settings.valid is not None
    return measurable_of(
        task.trainable().arranged(rows_of(settings.valid)), task, facts, name=settings.valid, max_length=settings.max_length
    )


def _scores(settings: DistillSettings, model: EncoderModel, valid: Measurable) -> dict[str, float]:
    precision = mixed_precision(model.device, bf16=settings.bf16, fp16=settings.fp16)
    found = measure(model, valid, objective_of(model.head_name), precision=precision, keep_logits=False)
    scores: Mapping[str, float] = {"loss": found.loss or 0.0, **(found.scores or {})}
    return {f"eval_{name}": value for name, value in scores.items()}


def _headline(settings: DistillSettings, model: EncoderModel, valid: Measurable) -> tuple[str, float]:
    """The most telling measure, and its value."""
    found = measure(
        model, valid, objective_of(model.head_name), precision=mixed_precision(model.device, bf16=False), keep_logits=False
    )
    name, value = next(iter((found.scores or {"loss": found.loss or 0.0}).items()))
    return name, float(value)


def _accuracies(held_out: TextReader, models: Sequence[EncoderModel], loss: LossSum) -> list[float | None]:
    """The share of masked tokens that each model finds in the text kept aside."""
    if not len(held_out.pieces.starts):
        return [None] * len(models)
    with torch.no_grad():
        return [held_out_scores(held_out, model.eval(), loss)["eval_accuracy"] for model in models]


def _items(task: Task, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Inputs of the task from the first rows."""
    columns = task.table.find(rows[0])
    return [task.table.item({role: row.get(name) for role, name in columns.items()}) for row in rows[: table.ITEMS]]
