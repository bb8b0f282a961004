"""Masked language modelling (Devlin et al., 2019, section 3.1), masks drawn anew at each step (Liu et al., 2019, section 4.1)."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from headway.core.batching import TokenSequence
from headway.neural.packing import pack
from headway.training.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Masking:
    """Which tokens are predicted and what stands in their place."""

    probability: float
    mask_id: int
    vocab_size: int
    special_ids: tuple[int, ...]
    masked: float = 0.8
    replaced: float = 0.1


def mask_tokens(ids_T: np.ndarray, masking: Masking, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The ids with some hidden, and the places of those to predict, rising.

    Each token that is not special is chosen with the masking's probability, and at least one is where there is any. Of the
    chosen, a share becomes the mask
    token, a share a random ordinary token, the rest stays.
    """
    ordinary = np.flatnonzero(~np.isin(ids_T, masking.special_ids))
    chosen = ordinary[random.random(len(ordinary)) < masking.probability]
    if not len(chosen) and len(ordinary):
        chosen = ordinary[random.integers(len(ordinary), size=1)]
    fate = random.random(len(chosen))
    hidden = ids_T.copy()
    hidden[chosen[fate < masking.masked]] = masking.mask_id
    other = chosen[(fate >= masking.masked) & (fate < masking.masked + masking.replaced)]
    allowed = np.setdiff1d(np.arange(masking.vocab_size), masking.special_ids)
    hidden[other] = random.choice(allowed, size=len(other))
    return hidden, chosen


def masked_batch(
    sequences: Sequence[TokenSequence], masking: Masking, random: np.random.Generator, *, device: torch.device
) -> Batch:
    """The sequences packed, with some tokens hidden and these as targets."""
    lengths = [len(sequence) for sequence in sequences]
    ids_T = np.concatenate([np.asarray(sequence.ids, dtype=np.int64) for sequence in sequences])
    hidden_T, chosen = mask_tokens(ids_T, masking, random)
    return _with_targets(sequences, lengths, ids_T, hidden_T, chosen, device)


def _with_targets(
    sequences: Sequence[TokenSequence],
    lengths: list[int],
    ids_T: np.ndarray,
    hidden_T: np.ndarray,
    chosen: np.ndarray,
    device: torch.device,
) -> Batch:
    starts = np.concatenate([[0], np.cumsum(lengths)])
    packed = pack([TokenSequence(hidden_T[a:b].tolist()) for a, b in itertools.pairwise(starts.tolist())], device=device)
    is_target = np.zeros(len(ids_T), dtype=bool)
    is_target[chosen] = True
    order = packed.order_B.tolist()
    in_order = np.concatenate([np.arange(starts[index], starts[index + 1]) for index in order])
    places = np.flatnonzero(is_target[in_order])
    return Batch(packed, torch.from_numpy(places).to(device), torch.from_numpy(ids_T[in_order[places]]).to(device))
