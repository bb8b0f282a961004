"""Distillation as the training loop wants it: jobs of plain text, of a task's rows, and of texts with vectors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from headway.compress.answers import Answers
from headway.compress.matching import text_only, tokens_of
from headway.compress.prediction import lesson
from headway.compress.vectors import vector_lesson
from headway.core.batching import TokenSequence
from headway.neural.model import EncoderModel
from headway.settings.distillation import DistillSettings
from headway.tasks import Example
from headway.training.batch import Batch, LossSum
from headway.training.loop import Job
from headway.training.order import shuffled_batches
from headway.training.rows import fingerprint


def matching_job(
    settings: DistillSettings, model: EncoderModel, examples: Sequence[Example], loss_sum: LossSum, identity: dict[str, Any]
) -> Job:
    """The first stage on a task's rows: what lies inside is matched, labels do not count."""
    return Job(
        model=model,
        loss_sum=loss_sum,
        order=_order(settings, [example.tokens for example in examples]),
        load=lambda indices, epoch, number: text_only(
            [sequence for index in indices for sequence in examples[int(index)].sequences], model.device
        ),
        count=tokens_of,
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
    firsts = np.cumsum([0, *(len(example.sequences) for example in examples)])

    def load(indices: np.ndarray, epoch: int, number: int) -> Batch:
        numbers = [int(index) for index in indices]
        return lesson([examples[index] for index in numbers], numbers, answers, model, firsts=firsts)

    return Job(
        model=model,
        loss_sum=loss_sum,
        order=_order(settings, [example.tokens for example in examples]),
        load=load,
        evaluate=evaluate,
        identity={"data": fingerprint(examples), **identity},
    )


def vector_job(
    settings: DistillSettings,
    model: EncoderModel,
    sequences: Sequence[TokenSequence],
    answers: Answers,
    *,
    loss_sum: LossSum,
    evaluate: Callable[[], dict[str, float]] | None,
    identity: dict[str, Any],
) -> Job:
    """Texts with their teacher's vectors."""

    def load(indices: np.ndarray, epoch: int, number: int) -> Batch:
        numbers = [int(index) for index in indices]
        return vector_lesson([sequences[index] for index in numbers], numbers, answers, model.device)

    order = _order(settings, [len(sequence) for sequence in sequences])
    return Job(model=model, loss_sum=loss_sum, order=order, load=load, evaluate=evaluate, identity=identity)


def _order(settings: DistillSettings, lengths: Sequence[int]) -> Callable[[int], list[np.ndarray]]:
    array, size = np.array(lengths), settings.per_device_train_batch_size
    return lambda epoch: shuffled_batches(array, seed=settings.seed, epoch=epoch, max_texts=size)
