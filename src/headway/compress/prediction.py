"""A task's answers as the teacher gives them, softened, beside its labels: for every head that learns from rows.

Shapes: T tokens, B texts, N targets, C labels, Q questions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from headway.compress.answers import Answers, scores_of
from headway.compress.losses import by_question, cosine_sum, numbers_sum, soft_labels_sum, soft_places_sum, soft_sum
from headway.compress.widths import mapped
from headway.errors import ConfigError
from headway.neural.losses import IGNORED
from headway.neural.model import EncoderModel
from headway.neural.outputs import PackedOutputs
from headway.neural.packing import Packed
from headway.settings.distillation import DistillSettings
from headway.tasks import Example
from headway.training.batch import Batch
from headway.training.objectives.heads import objective_of, pack_examples

SoftSum: TypeAlias = Callable[[Tensor, Tensor, "Lesson", float], Tensor]


@dataclass(frozen=True, kw_only=True)
class Lesson(Batch):
    """A batch with the teacher's scores of each of its texts or tokens, in packed order.

    ``places`` are where the teacher is listened to, and ``targets`` as many numbers as the loss is divided by; ``answers_B``
    says how many of these are each text's. ``hard`` is the batch of the labelled examples alone, None where there are none, and
    ``labelled_B`` says which texts those are.
    """

    taught: Tensor
    answers_B: Tensor
    labelled_B: Tensor
    hard: Batch | None


def lesson(
    examples: Sequence[Example], numbers: Sequence[int], answers: Answers, model: EncoderModel, *, firsts: np.ndarray
) -> Lesson:
    """The examples with their teacher's answers, on the CPU; ``firsts`` says which of all sequences is each example's first."""
    device = torch.device("cpu")
    packed = pack_examples(examples, device)
    sequences = [
        int(firsts[number]) + place
        for number, example in zip(numbers, examples, strict=True)
        for place in range(len(example.sequences))
    ]
    rows = [np.asarray(answers.of(sequences[index])) for index in packed.order_B.tolist()]
    taught = torch.from_numpy(np.concatenate(rows))
    places, answers_B = _listened(examples, packed, model)
    targets = torch.zeros(round(float(answers_B.sum())))
    labelled = [example for example in examples if example.target is not None]
    hard = objective_of(model.head_name).batch(labelled, device) if labelled else None
    has_label = torch.tensor([example.target is not None for example in examples for _ in example.sequences])
    return Lesson(packed, places, targets, taught=taught, answers_B=answers_B, labelled_B=has_label[packed.order_B], hard=hard)


def _listened(examples: Sequence[Example], packed: Packed, model: EncoderModel) -> tuple[Tensor, Tensor]:
    """Where the teacher is listened to, and how many of the answers there are each text's, (texts,), in packed order."""
    device, count = packed.device, len(packed.lengths)
    match model.head_name:
        case "token-classification":
            wanted = [_wanted(examples[index]) for index in packed.order_B.tolist()]
            places = torch.tensor([one for each in wanted for one in each], device=device).nonzero().squeeze(-1)
            return places, torch.tensor([float(sum(each)) for each in wanted], device=device)
        case "question-answering":
            return packed.first_B, torch.full((count,), 2.0, device=device)
        case "multiple-choice":
            rows = _choices(examples, packed)
            share_Q1 = 1 / (rows >= 0).sum(1, keepdim=True).expand_as(rows)
            return rows, torch.zeros(count, device=device).index_put((rows[rows >= 0],), share_Q1[rows >= 0])
        case _:
            each = model.config.num_labels if model.config.problem_type == "multi_label_classification" else 1
            return packed.first_B, torch.full((count,), float(each), device=device)


def _wanted(example: Example) -> list[bool]:
    """The tokens of a text whose labels count; where there are no labels all but the first and the last, which frame it."""
    if example.target is None:
        return [0 < place < example.tokens - 1 for place in range(example.tokens)]
    return [target != IGNORED for target in example.target]


def _choices(examples: Sequence[Example], packed: Packed) -> Tensor:
    text_B = packed.unsorted(torch.arange(len(packed.lengths), device=packed.device))
    each = list(text_B.split([len(example.sequences) for example in examples]))
    return torch.nn.utils.rnn.pad_sequence(each, batch_first=True, padding_value=-1)


def of_texts(student: Tensor, teacher: Tensor, batch: Lesson, heat: float) -> Tensor:
    """One label a text."""
    return soft_sum(student, teacher, temperature=heat)


def of_tokens(student: Tensor, teacher: Tensor, batch: Lesson, heat: float) -> Tensor:
    """One label a token."""
    return soft_sum(student[batch.places], teacher[batch.places], temperature=heat)


def of_ends(student: Tensor, teacher: Tensor, batch: Lesson, heat: float) -> Tensor:
    """Where an answer begins and where it ends, over the tokens of its text."""
    ends = [soft_places_sum(student[:, end], teacher[:, end], batch.packed, temperature=heat) for end in (0, 1)]
    return ends[0] + ends[1]


def of_choices(student: Tensor, teacher: Tensor, batch: Lesson, heat: float) -> Tensor:
    """Which choice is right."""
    sides = [by_question(scores.squeeze(-1), batch.places) for scores in (student, teacher)]
    return soft_sum(sides[0], sides[1], temperature=heat)


def soft_of(model: EncoderModel) -> SoftSum:
    """How the answers of a model's head are compared."""
    match model.head_name, model.config.problem_type:
        case "token-classification", _:
            return of_tokens
        case "question-answering", _:
            return of_ends
        case "multiple-choice", _:
            return of_choices
        case _, "multi_label_classification":
            return lambda student, teacher, batch, heat: soft_labels_sum(student, teacher, temperature=heat)
        case _, problem if problem == "regression" or model.config.num_labels == 1:
            return lambda student, teacher, batch, heat: numbers_sum(student, teacher)
        case _:
            return of_texts


@dataclass(frozen=True)
class Prediction:
    """The loss of a task's answers: the teacher's, the labels, and perhaps the cosine of the last states with the teacher's."""

    settings: DistillSettings
    teacher: EncoderModel
    soft: SoftSum

    def __call__(self, model: EncoderModel, batch: Batch) -> Tensor:
        """The loss, summed over the answers that are learnt."""
        assert isinstance(batch, Lesson)
        soft, hard, cosine = self.settings.weights
        states_TD = model.encode(batch.packed)
        found = model.predict(states_TD, batch.packed)
        rows, _ = scores_of(found)
        total = soft * self.soft(rows, batch.taught, batch, self.settings.heat)
        if hard and batch.hard is not None:
            total = total + hard * objective_of(model.head_name).loss(model, _of_labelled(found, batch), batch.hard)
        if cosine:
            with torch.no_grad():
                wanted_TD = self.teacher.encode(batch.packed)
            total = total + cosine * cosine_sum(mapped(model, "last", states_TD), wanted_TD, _shares(batch))
        return total


def _of_labelled(found: PackedOutputs, batch: Lesson) -> PackedOutputs:
    """The outputs of the labelled texts, which stand in the same order in the batch of their own."""
    if batch.labelled_B.all():
        return found
    labelled_T = batch.labelled_B[batch.packed.text_numbers()]
    return PackedOutputs(
        {name: values[labelled_T] for name, values in found.tokens.items()},
        {name: values[batch.labelled_B] for name, values in found.texts.items()},
    )


def _shares(batch: Lesson) -> Tensor:
    """What each token's cosine counts, (tokens,): the tokens of a text together as much as its answers."""
    share_B = batch.answers_B / batch.packed.text_lengths
    return share_B[batch.packed.text_numbers()]


def check_labels(settings: DistillSettings, examples: Sequence[Example]) -> None:
    """Refuse rows from which nothing would be learnt: labels alone count, and there are none."""
    soft, hard, cosine = settings.weights
    if hard and not soft and not cosine and all(example.target is None for example in examples):
        raise ConfigError(
            f"No row of {settings.train} has a label, and soft_weight is 0, so nothing would be learnt. Give soft_weight."
        )
