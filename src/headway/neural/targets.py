"""From the targets that people pass to a model to what its outputs lose against them.

Shapes: B texts, S sequence, T tokens of all texts, C labels or choices.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from headway.architecture import (
    Head,
    MultipleChoiceHead,
    NextSentenceHead,
    PreTrainingHead,
    QuestionAnsweringHead,
    ReplacedTokenHead,
    SequenceClassificationHead,
    TokenClassificationHead,
)
from headway.errors import InputError
from headway.neural.arguments import Range, kind
from headway.neural.losses import IGNORED, LossTerm, answer_terms, class_term, replaced_term, text_term
from headway.neural.outputs import PackedOutputs, Padding

PAIR_LABELS = {"seq_relationship_logits": "next_sentence_label", "sop_logits": "sentence_order_label"}
"""What transformers calls the pair's target where it calls the scores so."""


def accepted(head: Head | None) -> tuple[str, ...]:
    """The targets that a head learns from, by the keywords of ``forward``."""
    match head:
        case None:
            return ()
        case QuestionAnsweringHead():
            return ("start_positions", "end_positions")
        case PreTrainingHead():
            return ("labels", PAIR_LABELS[head.pair_logits])
        case _:
            return ("labels",)


def checked(head: Head | None, given: Mapping[str, Any]) -> dict[str, Tensor]:
    """The targets that are there. Raises ``InputError`` for a keyword that the model does not have, and for half an answer."""
    names = accepted(head)
    targets = {name: values for name, values in given.items() if values is not None}
    if wrong := [name for name in given if name not in names]:
        learns = f"learns from {' and '.join(names)}" if names else "has no head, so it learns from no targets"
        raise InputError(
            f"This model does not know {', '.join(wrong)}; it {learns}. Leave {'them' if len(wrong) > 1 else 'it'} out, or "
            "load the checkpoint with the class of your task."
        )
    if isinstance(head, QuestionAnsweringHead) and len(targets) == 1:
        raise InputError(f"Only {', '.join(targets)} is given, but an answer has a first and a last token. Pass both.")
    return targets


def ranges(head: Head, targets: Mapping[str, Tensor], shape: tuple[int, ...], *, vocab_size: int, problem: str) -> list[Range]:
    """What the targets have to lie between. ``shape`` is that of the ids: (batch, sequence), or (batch, choices).

    Raises ``InputError`` for targets of another shape than the model's, and for numbers where classes belong.
    """
    match head:
        case QuestionAnsweringHead():
            for name, values in targets.items():
                _of_texts(name, values, shape[0], classes=None)
            return []
        case PreTrainingHead():
            found = [_of_tokens(targets["labels"], shape, classes=vocab_size)] if "labels" in targets else []
            pair = PAIR_LABELS[head.pair_logits]
            return found + ([_of_texts(pair, targets[pair], shape[0], classes=2)] if pair in targets else [])
        case SequenceClassificationHead() if problem != "single_label_classification":
            _of_scores(targets["labels"], shape[0], head.num_labels, problem=problem)
            return []
        case SequenceClassificationHead():
            return [_of_texts("labels", targets["labels"], shape[0], classes=head.num_labels)]
        case MultipleChoiceHead():
            return [_of_texts("labels", targets["labels"], shape[0], classes=shape[1])]
        case NextSentenceHead():
            return [_of_texts("labels", targets["labels"], shape[0], classes=2)]
        case ReplacedTokenHead():
            return [_of_tokens(targets["labels"].long(), shape, classes=2)]
        case TokenClassificationHead():
            return [_of_tokens(targets["labels"], shape, classes=head.num_labels)]
        case _:
            return [_of_tokens(targets["labels"], shape, classes=vocab_size)]


def _of_tokens(labels_BS: Tensor, shape: tuple[int, ...], *, classes: int) -> Range:
    if tuple(labels_BS.shape) != shape:
        raise InputError(
            f"labels has shape {tuple(labels_BS.shape)}, but this model has one label for each token, {shape}. "
            "Pad them as the tokens, with -100 where there is nothing to learn."
        )
    return _of_classes("labels", labels_BS, classes)


def _of_texts(name: str, values: Tensor, batch: int, *, classes: int | None) -> Range:
    if values.numel() != batch:
        raise InputError(
            f"{name} has shape {tuple(values.shape)}, but the batch has {batch} texts or questions, and each has one. "
            f"Pass ({batch},)."
        )
    return _of_classes(name, values, classes or 0)


def _of_classes(name: str, values: Tensor, classes: int) -> Range:
    if values.is_floating_point():
        raise InputError(
            f"{name} holds {kind(values)} numbers, but this model's targets are numbers of classes or tokens. "
            f'Pass {name}.long(), or load the model for scores: problem_type="regression", num_labels=1.'
        )
    return Range(
        name=name,
        values=values,
        high=classes - 1,
        besides=IGNORED,
        says=f"this model knows 0 to {classes - 1}",
        remedy=f"Count them from 0, load the model with as many labels, or use {IGNORED} where there is nothing to learn.",
    )


def _of_scores(labels: Tensor, batch: int, count: int, *, problem: str) -> None:
    """Refuse numbers, or marks of several labels, of another shape than the scores."""
    is_one = problem == "regression" and count == 1
    if tuple(labels.shape) != (batch, count) and not (is_one and labels.numel() == batch):
        raise InputError(
            f"labels has shape {tuple(labels.shape)}, but this model learns {'numbers' if problem == 'regression' else 'marks'} "
            f"({problem}), ({batch}, {count}). Pass as many; for one class a text pass whole numbers, labels.long(), and load "
            'the model with problem_type="single_label_classification".'
        )


def loss_terms(
    head: Head, found: PackedOutputs, targets: Mapping[str, Tensor], padding: Padding, *, problem: str
) -> list[LossTerm]:
    """What the outputs lose. ``problem`` is a sequence classifier's ``problem_type``."""
    order_B = padding.packed.order_B
    match head:
        case QuestionAnsweringHead():
            places = [place_in_text(targets[f"{end}_positions"], padding)[order_B] for end in ("start", "end")]
            return answer_terms([found.tokens["start_logits"], found.tokens["end_logits"]], places, padding.packed)
        case PreTrainingHead():
            pairs = targets.get(PAIR_LABELS[head.pair_logits])
            terms = [] if pairs is None else [class_term(found.texts[head.pair_logits], pairs.flatten()[order_B])]
            if "labels" in targets:
                terms.append(class_term(found.tokens["prediction_logits"], _by_token(targets["labels"], padding)))
            return terms
        case MultipleChoiceHead():
            by_question_BC = padding.packed.unsorted(found.texts["logits"]).view(len(targets["labels"]), -1)
            return [class_term(by_question_BC, targets["labels"])]
        case SequenceClassificationHead() | NextSentenceHead():
            return [text_term(found.texts["logits"], targets["labels"][order_B], problem)]
        case ReplacedTokenHead():
            return [replaced_term(found.tokens["logits"], _by_token(targets["labels"], padding))]
        case _:
            return [class_term(found.tokens["logits"], _by_token(targets["labels"], padding))]


def _by_token(labels_BS: Tensor, padding: Padding) -> Tensor:
    return labels_BS.flatten()[padding.place_T]


def place_in_text(columns_B: Tensor, padding: Padding) -> Tensor:
    """Which of its text's tokens stands in a column, in the caller's order; -1 where no attended token does."""
    batch, sequence = padding.shape
    columns_B = columns_B.view(batch)
    number = torch.full((batch * sequence,), -1, device=columns_B.device)
    number[padding.place_T] = torch.arange(padding.packed.tokens, device=columns_B.device)
    inside_B = (columns_B >= 0) & (columns_B < sequence)
    found_B = number[torch.arange(batch, device=columns_B.device) * sequence + columns_B.where(inside_B, 0)]
    place_B = found_B - padding.packed.unsorted(padding.packed.first_B)
    return place_B.where(inside_B & (found_B >= 0), -1)
