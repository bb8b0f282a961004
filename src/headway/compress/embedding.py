"""The recipe for sentence vectors, from texts to a folder that sentence-transformers loads too."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headway.checkpoints import locate
from headway.compress import table
from headway.compress.answers import Answers, kept_answers, teacher_identity
from headway.compress.jobs import vector_job
from headway.compress.lines import Lines, tokenised
from headway.compress.record import Finished
from headway.compress.rows import rows_of, texts_of
from headway.compress.stages import cache_of, compared, identity_of, make_ready, run, saver
from headway.compress.students import make_pair
from headway.compress.vectors import (
    MAP,
    VectorLoss,
    embedder,
    embedder_identity,
    ends_in_unit_length,
    pooling_of,
    vector_lesson,
    vectors_from,
)
from headway.compress.widths import add_maps, arrays_of, take_maps
from headway.core.batching import plan_batches
from headway.evaluation import evaluate as evaluate_folder
from headway.neural.model import EncoderModel
from headway.settings.distillation import DistillSettings
from headway.tasks.numbers import identity
from headway.tasks.sentence_folder import write_side_files
from headway.tasks.sentence_modules import Dense, Step, UnitLength
from headway.tasks.sentence_transformer import read_side_files
from headway.tasks.vectors import Embedder
from headway.text import Tokenizer, check_tokenizer
from headway.training.machine import device_for
from headway.training.processes import current

HELD_OUT = 500
"""Most texts that are kept aside to see how near the student comes."""


@dataclass(frozen=True)
class HeldOut:
    """Texts kept aside: how near the student's vectors come to the teacher's."""

    lines: Lines
    answers: Answers
    loss: VectorLoss
    numbers: np.ndarray
    """Which of the texts these are."""

    def scores(self, model: EncoderModel) -> dict[str, float]:
        """The loss, and the cosine between -1 and 1."""
        losses, cosines = 0.0, 0.0
        for indices in plan_batches(self.lines.lengths[self.numbers].tolist(), max_tokens=8192):
            numbers = self.numbers[indices].tolist()
            batch = vector_lesson([self.lines[number] for number in numbers], numbers, self.answers, model.device)
            with torch.inference_mode():
                ours_BV = self.loss.vectors(model, batch.packed)
                losses += float(self.loss.between(ours_BV, batch.taught_BV))
                cosines += float(torch.nn.functional.cosine_similarity(ours_BV, batch.taught_BV, dim=-1).sum())
        return {"eval_loss": losses / len(self.numbers), "eval_cosine": cosines / len(self.numbers)}


def distill_vectors(settings: DistillSettings, *, progress: bool) -> Finished:
    """The student trained and saved, and how near it came."""
    pair = make_pair(settings, "base")
    student = pair.student
    place = locate(settings.student) if settings.student and not settings.student.endswith(".json") else pair.folder
    tokenizer = Tokenizer.from_pretrained(place)
    check_tokenizer(tokenizer, student.config)
    reads = embedder(place, tokenizer, student, max_length=settings.max_length)
    theirs = read_side_files(pair.folder)
    texts = texts_of(settings.files, settings.train, progress=progress)
    answers = _teacher_vectors(settings, pair.folder, texts, progress=progress)
    lines = tokenised(reads, texts, progress=progress)
    loss = VectorLoss(settings, pooling_of(reads.side, place), ends_in_unit_length(theirs))
    shuffled = np.random.default_rng([settings.seed, 1]).permutation(len(texts))
    aside = min(HELD_OUT, len(texts) // 20)
    held_out = HeldOut(lines, answers, loss, np.sort(shuffled[:aside]))
    make_ready(student, settings)
    keepers = add_maps(student, (MAP,), width=answers.values.shape[1])
    save = _saver(settings, student, tokenizer, reads=reads, normalises=loss.normalises)
    job = vector_job(
        settings,
        student,
        lines,
        answers,
        np.sort(shuffled[aside:]),
        loss_sum=loss,
        evaluate=(lambda: held_out.scores(student)) if aside else None,
        identity={**identity_of(settings, pair.folder), "texts": hash_of(texts)},
    )
    ended = run(settings, job, keepers, progress=progress, save=save)
    nearness = held_out.scores(student.eval())["eval_cosine"] if aside else None
    save(Path(settings.output_dir))
    take_maps(student)
    scores, measured = current().from_first(lambda: _scores(settings, pair.folder, nearness))
    return Finished(
        student=student,
        task="sentence-embeddings",
        ended=ended,
        comparison=compared(settings, pair, scores, measured, ("sentence-embeddings", texts[: table.ITEMS])),
        counts={"train" if settings.train else "text": len(texts), **valid_count(settings)},
        unit="texts",
    )


def valid_count(settings: DistillSettings) -> dict[str, int]:
    """How many rows there are to measure on, where there are any."""
    return {} if settings.valid is None else {"valid": len(rows_of(settings.valid))}


def _saver(
    settings: DistillSettings, student: EncoderModel, tokenizer: Tokenizer, *, reads: Embedder, normalises: bool
) -> Callable[[Path], None]:
    """What writes the student as a folder of sentence-transformers, with the map to its teacher's vectors as it is now."""
    save = saver(settings, student, tokenizer, task="sentence-embeddings")

    def whole(folder: Path) -> None:
        save(folder)
        learnt = arrays_of(student).get(MAP)
        steps: list[Step] = [] if learnt is None else [Dense(learnt, None, identity)]
        side = replace(reads.side, max_length=reads.limit, steps=(*steps, *([UnitLength()] if normalises else [])))
        if current().is_first:
            write_side_files(folder, side, width=student.architecture.encoder.hidden_size)

    return whole


def hash_of(texts: Sequence[str]) -> str:
    """A hash of the texts."""
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def _teacher_vectors(settings: DistillSettings, teacher: Path, texts: Sequence[str], *, progress: bool) -> Answers:
    """The teacher's vectors, in bfloat16 where that was asked for."""
    precision = "bf16" if settings.bf16 else "fp32"
    device = None if device_for(use_cpu=settings.use_cpu) == "cpu" else "cuda"
    identity = [teacher_identity(teacher), embedder_identity(teacher), str(settings.max_length), hash_of(texts)]
    identity += [precision] if precision != "fp32" else []
    return current().first_before_others(
        lambda: kept_answers(
            cache_of(settings),
            identity=identity,
            count=len(texts),
            make=lambda first: vectors_from(
                first, teacher, texts, max_length=settings.max_length, precision=precision, device=device
            ),
            progress=progress,
        )
    )


def _scores(settings: DistillSettings, teacher: Path, nearness: float | None) -> tuple[list[float | None], str | None]:
    """Correlation on pairs whose similarity is known, or else how near the student's vectors are to the teacher's."""
    if settings.valid is None:
        return [None if nearness is None else 1.0, nearness], None if nearness is None else "cosine with the teacher"
    found: list[Any] = [
        evaluate_folder(str(folder), rows_of(settings.valid), task="sentence-similarity", resamples=0, precision="fp32").scores
        for folder in (teacher, Path(settings.output_dir))
    ]
    name = "spearman" if "spearman" in found[0] else next(iter(found[0]))
    return [float(scores[name]) for scores in found], name
