"""Distillation as the training loop wants it: jobs of plain text, of a task's rows, and of texts with vectors."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from headway.compress.answers import Answers
from headway.compress.lines import Lines
from headway.compress.matching import text_only, tokens_of
from headway.compress.prediction import lesson
from headway.compress.vectors import vector_lesson
from headway.neural.model import EncoderModel
from headway.settings.distillation import DistillSettings
from headway.tasks import Example
from headway.training.batch import Batch, LossSum
from headway.training.loop import Job
from headway.training.order import epoch_batches
from headway.training.rows import fingerprint


def matching_job(
    settings: DistillSettings, model: EncoderModel, examples: Sequence[Example], loss_sum: LossSum, identity: dict[str, Any]
) -> Job:
    """The first stage on a task's rows: what lies inside is matched, labels do not count."""
    lengths = tokens_each(examples)
    return Job(
        model=model,
        loss_sum=loss_sum,
        order=lambda epoch: epoch_batches(lengths, settings, epoch),
        load=lambda indices, epoch, number: text_only(
            [sequence for index in indices for sequence in examples[int(index)].sequences], model.device
        ),
        count=tokens_of,
        tokens=lambda indices: int(lengths[indices].sum()),
        identity={"data": fingerprint(examples), **identity},
    )


def prediction_job(
    settings: DistillSettings,
    model: EncoderModel,
    examples: Sequence[Example],
    answers: Answers,
    *,
    loss_sum: LossSum,
    evaluate: Callable[[], dict[str, float]] | None,
    identity: dict[str, Any],
) -> Job:
    """The stage in which a task's answers are learnt."""
    lengths, firsts = tokens_each(examples), np.cumsum([0, *(len(example.sequences) for example in examples)])

    def made(numbers: Sequence[int]) -> Batch:
        batch = lesson([examples[number] for number in numbers], numbers, answers, model, firsts=firsts)
        return replace(batch, again=lambda rows: made([numbers[row] for row in rows]))

    return Job(
        model=model,
        loss_sum=loss_sum,
        order=lambda epoch: epoch_batches(lengths, settings, epoch),
        load=lambda indices, epoch, number: made(indices.tolist()),
        evaluate=evaluate,
        tokens=lambda indices: int(lengths[indices].sum()),
        identity={"data": fingerprint(examples), **identity},
    )


def vector_job(
    settings: DistillSettings,
    model: EncoderModel,
    lines: Lines,
    answers: Answers,
    chosen: np.ndarray,
    *,
    loss_sum: LossSum,
    evaluate: Callable[[], dict[str, float]] | None,
    identity: dict[str, Any],
) -> Job:
    """Texts with their teacher's vectors; ``chosen`` are the numbers of those that are learnt."""
    lengths = lines.lengths[chosen]

    def made(numbers: Sequence[int]) -> Batch:
        batch = vector_lesson([lines[number] for number in numbers], numbers, answers, torch.device("cpu"))
        return replace(batch, again=lambda rows: made([numbers[row] for row in rows]))

    return Job(
        model=model,
        loss_sum=loss_sum,
        order=lambda epoch: epoch_batches(lengths, settings, epoch),
        load=lambda indices, epoch, number: made(chosen[indices].tolist()),
        evaluate=evaluate,
        tokens=lambda indices: int(lengths[indices].sum()),
        identity=identity,
    )


def tokens_each(examples: Sequence[Example]) -> np.ndarray:
    """How many tokens each example has."""
    return np.array([example.tokens for example in examples])
