"""Rows that were tokenised before, as examples; and batches as data collators pad them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from headway.architecture.family import HeadName
from headway.core.batching import TokenSequence
from headway.errors import DataError
from headway.neural.border import pack_padded, rows_of_choices
from headway.neural.losses import IGNORED
from headway.neural.model import EncoderModel
from headway.neural.targets import place_in_text
from headway.tasks import Example
from headway.training.batch import Batch
from headway.training.objectives.heads import with_answers, with_choices, with_token_targets

Collator: TypeAlias = Callable[[list[Any]], Mapping[str, Any]]
LABELS = ("labels", "label", "label_ids", "next_sentence_label")
ENDS = ("start_positions", "end_positions")
COLUMNS = ("input_ids", "attention_mask", "token_type_ids")


def read_rows(rows: Any, *, head: HeadName, max_length: int | None) -> list[Example]:
    """Tokenised rows: mappings with ``input_ids`` and, where the model is to learn from them, the targets of its head.

    Those are ``label`` or ``labels``, or ``start_positions`` and ``end_positions``. For multiple choice ``input_ids`` are a list
    for each choice. Padding, where ``attention_mask`` says so, is dropped. Tokens beyond ``max_length`` are cut.
    """
    return [_example(rows[index], index, head, max_length) for index in range(len(rows))]


def fingerprint(examples: Sequence[Example]) -> str:
    """A hash of all ids and targets, so that a run is resumed only on the data it began with."""
    digest = hashlib.sha256()
    for example in examples:
        ids = [np.asarray(sequence.ids, dtype=np.int64).tobytes() for sequence in example.sequences]
        digest.update(b"".join(ids) + repr(example.target).encode())
    return digest.hexdigest()


def collated_batch(rows: list[Any], collate: Collator, model: EncoderModel, *, keep: bool = False) -> Batch:
    """The rows through a data collator, its padding dropped again; what it made is kept too for a loss of the user's own."""
    made = {name: torch.as_tensor(values).to(model.device) for name, values in collate(rows).items()}
    if keep:
        return replace(_packed_again(made, model, labelled=any(name in made for name in (*LABELS, *ENDS))), inputs=made)
    return _packed_again(made, model)


def _packed_again(made: Mapping[str, Tensor], model: EncoderModel, *, labelled: bool = True) -> Batch:
    given = tuple(made.get(name) for name in (*COLUMNS, "position_ids"))
    is_choice = model.head_name == "multiple-choice"
    packed, padding = pack_padded(*(rows_of_choices((*given, None))[:4] if is_choice else given), embeddings=model.embeddings)
    if not labelled:
        return Batch(packed, packed.first_B, torch.zeros_like(packed.first_B))
    if model.head_name == "question-answering" and all(name in made for name in ENDS):
        places = [place_in_text(made[name], padding)[packed.order_B] for name in ENDS]
        return with_answers(packed, torch.stack(places, dim=1))
    labels = _collated_labels(made)
    if is_choice:
        questions, choices = made["input_ids"].shape[:2]
        return with_choices(packed, [choices] * questions, labels.flatten())
    if labels.shape != made["input_ids"].shape:
        return Batch(packed, packed.first_B, labels[packed.order_B])
    return with_token_targets(packed, labels.flatten()[padding.place_T])


def _collated_labels(made: Mapping[str, Tensor]) -> Tensor:
    labels = next((made[name] for name in LABELS if name in made), None)
    if labels is None:
        raise DataError(
            f"The data collator returned {', '.join(made)}, but no labels. Keep the label column, or return 'labels'."
        )
    return labels


def _example(row: Any, index: int, head: HeadName, max_length: int | None) -> Example:
    if not isinstance(row, Mapping) or "input_ids" not in row:
        found = ", ".join(map(str, row)) if isinstance(row, Mapping) else f"a {type(row).__name__}"
        raise DataError(
            f"Row {index} of the data has no 'input_ids' (it has {found}), so there are no tokens to learn from. "
            "Tokenize the data first, or pass "
            "processing_class=tokenizer and rows with text and label columns."
        )
    columns = {name: _plain(row[name]) for name in COLUMNS if row.get(name) is not None}
    if head == "multiple-choice":
        each = [{name: values[place] for name, values in columns.items()} for place in range(len(columns["input_ids"]))]
        return Example(tuple(_sequence(one, _kept(one, max_length)) for one in each), _target(row))
    kept = _kept(columns, max_length)
    target = _ends(row, kept) if head == "question-answering" else _target(row)
    if isinstance(target, list) and head in ("token-classification", "masked-lm"):
        _check_tokens(target, columns["input_ids"], index)
        target = [target[place] for place in kept]
    return Example((_sequence(columns, kept),), target)


def _check_tokens(target: Sequence[Any], ids: Sequence[int], index: int) -> None:
    if len(target) != len(ids):
        raise DataError(
            f"Row {index} of the data has {len(target)} labels for {len(ids)} tokens, but each token has one, -100 where there "
            "is nothing to learn. Align the labels, or pass processing_class=tokenizer and rows of words and tags."
        )


def _kept(columns: Mapping[str, Any], max_length: int | None) -> list[int]:
    """The places that are not padding, up to the limit."""
    mask = columns.get("attention_mask") or [1] * len(columns["input_ids"])
    return [place for place, keep in enumerate(mask) if keep][:max_length]


def _sequence(columns: Mapping[str, Any], kept: Sequence[int]) -> TokenSequence:
    ids, types = columns["input_ids"], columns.get("token_type_ids")
    return TokenSequence([ids[place] for place in kept], None if types is None else [types[place] for place in kept])


def _target(row: Mapping[str, Any]) -> Any:
    return next((_plain(row[name]) for name in LABELS if row.get(name) is not None), None)


def _ends(row: Mapping[str, Any], kept: list[int]) -> tuple[int, int] | None:
    """The first and the last token of the answer among those kept; ``IGNORED`` where they do not hold it."""
    given = [_plain(row[name]) for name in ENDS if row.get(name) is not None]
    if len(given) < len(ENDS):
        return None
    places = [kept.index(place) if place in kept else IGNORED for place in given]
    return places[0], places[1]


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
