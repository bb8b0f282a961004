"""Rows of a training set as packed batches, from what people have: tokenised rows, or a data collator's padded tensors."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch

from headway.core.batching import TokenSequence
from headway.errors import DataError
from headway.neural.border import pack_padded
from headway.neural.losses import IGNORED
from headway.neural.model import EncoderModel
from headway.neural.packing import pack
from headway.training.batch import Batch, text_batch

Collator: TypeAlias = Callable[[list[Any]], Mapping[str, Any]]
LABELS = ("labels", "label", "label_ids")


@dataclass(frozen=True)
class Row:
    """One row: what the model reads, and its target, or one for each token."""

    tokens: TokenSequence
    target: Any


def read_rows(rows: Any, *, max_length: int | None) -> list[Row]:
    """Tokenised rows: mappings with ``input_ids`` and, where the model is to learn from them, ``label`` or ``labels``.

    Padding, where ``attention_mask`` says so, is dropped. Tokens beyond ``max_length`` are cut.
    """
    return [_row(rows[index], index, max_length) for index in range(len(rows))]


def fingerprint(rows: Sequence[Row]) -> str:
    """A hash of all ids and targets, so that a run is resumed only on the data it began with."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(np.asarray(row.tokens.ids, dtype=np.int64).tobytes() + repr(row.target).encode())
    return digest.hexdigest()


def make_batch(rows: Sequence[Row], *, device: torch.device) -> Batch:
    """The rows as one packed batch: targets by text or, where the first row has one for each token, by token."""
    sequences = [row.tokens for row in rows]
    if not (isinstance(rows[0].target, list) and len(rows[0].target) == len(rows[0].tokens)):
        return text_batch(sequences, [row.target for row in rows], device=device)
    packed = pack(sequences, device=device)
    targets = torch.tensor([target for index in packed.order_B.tolist() for target in rows[index].target], device=device)
    places = (targets != IGNORED).nonzero().squeeze(-1)
    return Batch(packed, places, targets[places])


def collated_batch(rows: list[Any], collate: Collator, model: EncoderModel) -> Batch:
    """The rows through a data collator, its padding dropped again."""
    made = {name: torch.as_tensor(values).to(model.device) for name, values in collate(rows).items()}
    given = (made.get(name) for name in ("input_ids", "attention_mask", "token_type_ids", "position_ids"))
    packed, padding = pack_padded(*given, embeddings=model.embeddings)
    labels = next((made[name] for name in LABELS if name in made), None)
    if labels is None:
        raise DataError(
            f"The data collator returned {', '.join(made)}, but no labels. Keep the label column, or return 'labels'."
        )
    if labels.shape != made["input_ids"].shape:
        return Batch(packed, packed.first_B, labels[packed.order_B])
    targets = labels.flatten()[padding.place_T]
    places = (targets != IGNORED).nonzero().squeeze(-1)
    return Batch(packed, places, targets[places])


def _row(row: Any, index: int, max_length: int | None) -> Row:
    if not isinstance(row, Mapping) or "input_ids" not in row:
        found = ", ".join(map(str, row)) if isinstance(row, Mapping) else f"a {type(row).__name__}"
        raise DataError(
            f"Row {index} of the data has no 'input_ids' (it has {found}), so there are no tokens to learn from. "
            "Tokenize the data first, or pass "
            "processing_class=tokenizer and rows with text and label columns."
        )
    ids = _plain(row["input_ids"])
    mask = _plain(row["attention_mask"]) if "attention_mask" in row else [1] * len(ids)
    types = _plain(row["token_type_ids"]) if row.get("token_type_ids") is not None else None
    kept = [place for place, keep in enumerate(mask) if keep][:max_length]
    target = next((_plain(row[name]) for name in LABELS if row.get(name) is not None), None)
    if isinstance(target, list) and len(target) == len(ids):
        target = [target[place] for place in kept]
    tokens = TokenSequence([ids[place] for place in kept], None if types is None else [types[place] for place in kept])
    return Row(tokens, target)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
