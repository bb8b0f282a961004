"""A batch in smaller parts, for machines whose memory does not hold the whole.

Losses are summed over targets, so the parts of a batch give the gradients of the whole.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headway.neural.packing import Packed, first_tokens
from headway.training.batch import Batch


def parts_of(batch: Batch, max_tokens: int | None) -> list[Batch]:
    """The batch, halved until every part has at most ``max_tokens`` or is a single text, or a single question."""
    if max_tokens is None or batch.tokens <= max_tokens:
        return [batch]
    if batch.compares_all:
        return [replace(batch, at_once=min(max_tokens, batch.at_once or max_tokens))]
    found = halves(batch)
    return [batch] if found is None else [part for half in found for part in parts_of(half, max_tokens)]


def pieces_of(packed: Packed, max_tokens: int) -> list[Packed]:
    """The texts in pieces of at most so many tokens, or of a single text, in packed order."""
    pieces: list[list[int]] = []
    room = 0
    for text, length in enumerate(packed.lengths):
        if not pieces or length > room:
            pieces.append([])
            room = max_tokens
        pieces[-1].append(text)
        room -= length
    return [_selected(packed, texts)[0] for texts in pieces]


def halves(batch: Batch) -> tuple[Batch, Batch] | None:
    """The batch in two, as equal in tokens as its texts allow; None where it is a single text, or a single question's choices.

    Texts stand longest first and stay so: those of like length stay together. The second has random numbers of its own, which
    follow from the batch's and from where it was cut.
    """
    units = _units(batch)
    if len(units) < 2:
        return None
    sizes = [sum(batch.packed.lengths[text] for text in unit) for unit in units]
    done, cut, best = 0, 1, float("inf")
    for place, size in enumerate(sizes[:-1], 1):
        done += size
        if abs(batch.tokens - 2 * done) < best:
            cut, best = place, abs(batch.tokens - 2 * done)
    first, second = _part(batch, units[:cut], range(cut)), _part(batch, units[cut:], range(cut, len(units)))
    return first, replace(second, seed=_seed(batch.seed, cut))


def _seed(seed: int, cut: int) -> int:
    return int(np.random.SeedSequence([seed, cut]).generate_state(1, np.uint64)[0] >> 1)


def _units(batch: Batch) -> list[list[int]]:
    """The texts that cannot be parted, as their numbers in packed order: the choices of a question, or each text alone."""
    if batch.places.dim() < 2:
        return [[text] for text in range(len(batch.packed.lengths))]
    return [[text for text in row if text >= 0] for row in batch.places.tolist()]


def _part(batch: Batch, units: Sequence[Sequence[int]], questions: range) -> Batch:
    texts = sorted(text for unit in units for text in unit)
    if batch.again is not None:
        by_text = batch.packed.order_B.cpu()[torch.tensor(texts)].sort().values.tolist()
        made = batch.again(by_text if batch.places.dim() < 2 else list(questions)).to(batch.packed.device)
        return replace(made, seed=batch.seed, is_idle=batch.is_idle, per_text=batch.per_text, per_token=batch.per_token)
    packed, tokens_T = _selected(batch.packed, texts)
    places_B = batch.packed.order_B.cpu()[torch.tensor(texts)].sort().values
    others: dict[str, Any] = {
        "pair_labels": None if batch.pair_labels is None else batch.pair_labels[torch.tensor(texts, device=packed.device)],
        "inputs": _inputs(batch, torch.tensor(questions) if batch.places.dim() > 1 else places_B, max(packed.extents)),
    }
    if batch.places.dim() > 1:
        number_B = _new_numbers(torch.tensor(texts), len(batch.packed.lengths)).to(batch.places.device)
        rows = batch.places[questions.start : questions.stop]
        places = number_B[rows.clamp(min=0)].where(rows >= 0, rows)
        return replace(batch, packed=packed, places=places, targets=batch.targets[questions.start : questions.stop], **others)
    places = _new_numbers(tokens_T, batch.tokens).to(batch.places.device)[batch.places]
    kept = places >= 0
    return replace(batch, packed=packed, places=places[kept], targets=batch.targets[kept], **others)


def _inputs(batch: Batch, rows: Tensor, longest: int) -> dict[str, Tensor] | None:
    """These rows of the padded form, without the padding that the longest of them does not need."""
    if batch.inputs is None:
        return None
    width = batch.inputs["input_ids"].shape[-1]
    chosen = {name: values[rows.to(values.device)] for name, values in batch.inputs.items()}
    return {
        name: values[..., :longest] if values.dim() > 1 and values.shape[-1] == width else values
        for name, values in chosen.items()
    }


def _new_numbers(kept: Tensor, count: int) -> Tensor:
    """The number among those kept of each of ``count`` things, -1 for the others."""
    return torch.full((count,), -1).index_copy(0, kept, torch.arange(len(kept)))


def _selected(packed: Packed, texts: Sequence[int]) -> tuple[Packed, Tensor]:
    """These texts alone, given in packed order, and which tokens they were."""
    starts = first_tokens(packed.lengths).tolist()
    tokens_T = torch.cat([torch.arange(starts[text], starts[text] + packed.lengths[text]) for text in texts])
    chosen_T = tokens_T.to(packed.device)
    lengths = tuple(packed.lengths[text] for text in texts)
    places = packed.order_B[torch.tensor(texts, device=packed.device)]
    return (
        Packed(
            ids_T=packed.ids_T[chosen_T],
            type_ids_T=packed.type_ids_T[chosen_T],
            columns_T=packed.columns_T[chosen_T],
            first_B=first_tokens(lengths).to(packed.device),
            order_B=places.argsort().argsort(),
            lengths=lengths,
            extents=tuple(packed.extents[text] for text in texts),
            position_ids_T=None if packed.position_ids_T is None else packed.position_ids_T[chosen_T],
            vectors_TE=None if packed.vectors_TE is None else packed.vectors_TE[chosen_T],
        ),
        tokens_T,
    )
