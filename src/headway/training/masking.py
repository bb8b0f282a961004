"""Which tokens are hidden and what stands in their place: single tokens, whole words, or spans; drawn anew at each step.

Devlin et al., 2019, arXiv:1810.04805, section 3.1; dynamic masks: Liu et al., 2019, arXiv:1907.11692, section 4.1; spans: Joshi
et al., 2020, arXiv:1907.10529, section 3.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import torch

from headway.neural.packing import Packed, first_tokens
from headway.training.batch import Batch
from headway.training.pieces import Text

Unit: TypeAlias = Literal["token", "whole-word", "span"]
SPAN_END, LONGEST_SPAN = 0.2, 10
"""Spans have a geometric number of words with this chance of ending after each, and at most so many: 3.8 on average."""


@dataclass(frozen=True, kw_only=True)
class Masking:
    """Which tokens are predicted and what stands in their place."""

    probability: float
    mask_id: int
    vocab_size: int
    special_ids: tuple[int, ...]
    masked: float = 0.8
    replaced: float = 0.1
    unit: Unit = "token"

    @cached_property
    def is_special(self) -> np.ndarray:
        """Whether each id is a special token's."""
        found = np.zeros(self.vocab_size, dtype=bool)
        found[list(self.special_ids)] = True
        return found

    @cached_property
    def ordinary_ids(self) -> np.ndarray:
        """The ids that may stand in a token's place."""
        return np.flatnonzero(~self.is_special)


def mask_tokens(
    ids_T: np.ndarray,
    masking: Masking,
    random: np.random.Generator,
    *,
    word_starts_T: np.ndarray | None = None,
    lengths: Sequence[int] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """The ids with some hidden, and the places of those to predict, rising.

    No special token is chosen; of the others a share of the masking's probability, and at least one where there is any. Of the
    chosen a share becomes the mask token, a share a random ordinary token, the rest stays. The words of whole words and spans
    begin where ``word_starts`` says; ``lengths`` are those of the texts, for spans. All tokens of a span meet the same fate.
    """
    can_be_T = ~masking.is_special[ids_T]
    if masking.unit == "span":
        chosen, fate = _spans(can_be_T, word_starts_T, lengths or [len(ids_T)], masking.probability, random)
    else:
        chosen = _units(can_be_T, word_starts_T if masking.unit == "whole-word" else None, masking.probability, random)
        fate = random.random(len(chosen))
    hidden = ids_T.copy()
    hidden[chosen[fate < masking.masked]] = masking.mask_id
    other = chosen[(fate >= masking.masked) & (fate < masking.masked + masking.replaced)]
    hidden[other] = masking.ordinary_ids[random.integers(len(masking.ordinary_ids), size=len(other))]
    return hidden, chosen


def masked_batch(texts: Sequence[Text], masking: Masking, random: np.random.Generator, *, device: torch.device) -> Batch:
    """The texts packed, with some tokens hidden and these as targets; and the labels of pairs."""
    order = sorted(range(len(texts)), key=lambda index: -len(texts[index].ids))
    texts = [texts[index] for index in order]
    ids_T = np.concatenate([text.ids for text in texts])
    words = [text.word_starts for text in texts if text.word_starts is not None]
    lengths = tuple(len(text.ids) for text in texts)
    hidden_T, places = mask_tokens(
        ids_T, masking, random, word_starts_T=np.concatenate(words) if words else None, lengths=lengths
    )
    labels = [text.label for text in texts]
    return Batch(
        _packed(hidden_T, texts, lengths, order, device),
        torch.from_numpy(places).to(device),
        torch.from_numpy(ids_T[places]).to(device),
        pair_labels=None if labels[0] is None else torch.tensor(labels, device=device),
        per_text=len(places) / len(texts),
        per_token=len(places) / len(ids_T),
    )


def _packed(ids_T: np.ndarray, texts: Sequence[Text], lengths: tuple[int, ...], order: list[int], device: torch.device) -> Packed:
    first_B = first_tokens(lengths)
    types = [np.zeros(len(text.ids), dtype=np.int64) if text.types is None else text.types for text in texts]
    columns_T = np.arange(len(ids_T)) - np.repeat(first_B.numpy(), lengths)
    return Packed(
        ids_T=torch.from_numpy(ids_T).to(device),
        type_ids_T=torch.from_numpy(np.concatenate(types)).to(device),
        columns_T=torch.from_numpy(columns_T).to(device),
        first_B=first_B.to(device),
        order_B=torch.tensor(order).to(device),
        lengths=lengths,
        extents=lengths,
    )


def _units(can_be_T: np.ndarray, starts_T: np.ndarray | None, probability: float, random: np.random.Generator) -> np.ndarray:
    """Tokens, or all tokens of words, each chosen by itself."""
    number_T = None if starts_T is None else np.cumsum(starts_T | ~can_be_T) - 1
    units = np.flatnonzero(can_be_T) if number_T is None else np.unique(number_T[can_be_T])
    taken = units[random.random(len(units)) < probability]
    if not len(taken) and len(units):
        taken = units[random.integers(len(units), size=1)]
    if number_T is None:
        return taken
    is_taken = np.zeros(len(can_be_T), dtype=bool)
    is_taken[taken] = True
    return np.flatnonzero(can_be_T & is_taken[number_T])


def _spans(
    can_be_T: np.ndarray, starts_T: np.ndarray | None, lengths: Sequence[int], probability: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens in spans of whole words until each text's share is full, and a number between 0 and 1 for each span's tokens."""
    fate_T = np.full(len(can_be_T), -1.0)
    begins_T = np.ones(len(can_be_T), dtype=bool) if starts_T is None else starts_T
    first = 0
    for length in lengths:
        own = slice(first, first + length)
        _fill_spans(fate_T[own], can_be_T[own], begins_T[own], probability, random)
        first += length
    chosen = np.flatnonzero(fate_T >= 0)
    return chosen, fate_T[chosen]


def _fill_spans(
    fate: np.ndarray, can_be: np.ndarray, begins: np.ndarray, probability: float, random: np.random.Generator
) -> None:
    """Draw spans into one text, in place. A span ends early at the end of the share, at special tokens and at other spans."""
    anchors = np.flatnonzero(can_be & begins)
    if not len(anchors):
        return
    share = can_be.sum() * probability
    budget = max(1, int(share) + (random.random() < share % 1))
    taken = 0
    for anchor in random.permutation(anchors).tolist():
        if taken >= budget:
            break
        if fate[anchor] >= 0:
            continue
        words, one, at = span_length(random), random.random(), anchor
        while at < len(fate) and can_be[at] and fate[at] < 0:
            if begins[at] and at > anchor:
                words -= 1
                if not words or taken >= budget:
                    break
            fate[at] = one
            taken, at = taken + 1, at + 1


def span_length(random: np.random.Generator) -> int:
    """How many words a span has: geometric, drawn again where that is too long, which is the distribution without its tail."""
    while (length := int(random.geometric(SPAN_END))) > LONGEST_SPAN:
        pass
    return length
