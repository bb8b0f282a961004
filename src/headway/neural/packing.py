"""Padding-free batches: the tokens of all texts end to end, and which may see each other, worked out once per pass.

Shapes: T tokens of all texts together, B texts, S sequence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from headway.core.batching import TokenSequence
from headway.errors import InputError

PADDING_ALLOWED = 1.25
"""Texts share an attention group while the longest has at most this many times the tokens of the shortest."""


@dataclass(frozen=True)
class Group:
    """Texts of like length whose attention is one batched product.

    ``place`` maps (texts x length) slots to packed tokens and ``keep`` says which slots are real; both are None where all
    lengths are equal, and then the tokens from ``start`` on are the slots.
    """

    start: int
    texts: int
    length: int
    place: Tensor | None = None
    keep: Tensor | None = None

    @property
    def stop(self) -> int:
        """One past the last packed token, where all lengths are equal."""
        return self.start + self.texts * self.length


@dataclass(frozen=True)
class Packed:
    """A batch without padding. Texts stand longest first; ``order`` gives each one's place in the caller's list."""

    ids_T: Tensor
    type_ids_T: Tensor
    positions_T: Tensor
    first_B: Tensor
    order_B: Tensor
    lengths: tuple[int, ...]
    groups: tuple[Group, ...] = field(repr=False)

    def unsorted(self, values_B: Tensor) -> Tensor:
        """One value a text, from packed order back to the caller's."""
        return torch.empty_like(values_B).index_copy(0, self.order_B, values_B)


def pack(sequences: Sequence[TokenSequence], *, device: torch.device | str = "cpu") -> Packed:
    """The sequences as one packed batch on a device. Raises ``InputError`` for a text without tokens."""
    order = longest_first([len(sequence) for sequence in sequences])
    ids: list[int] = []
    types: list[int] = []
    for index in order:
        sequence = sequences[index]
        ids.extend(sequence.ids)
        types.extend(sequence.type_ids if sequence.type_ids is not None else [0] * len(sequence))
    lengths = [len(sequences[index]) for index in order]
    positions = torch.cat([torch.arange(length) for length in lengths])
    return assemble(torch.tensor(ids), torch.tensor(types), positions, order=order, lengths=lengths, device=device)


def longest_first(lengths: Sequence[int]) -> list[int]:
    """Indices by falling length; a text without tokens is an error that names it."""
    if not lengths:
        raise InputError("The batch is empty, so there is nothing to run. Pass at least one text.")
    if 0 in lengths:
        raise InputError(
            f"Text {lengths.index(0)} of the batch has no tokens, not even special ones, so there is nothing to attend to. "
            "Tokenize with add_special_tokens=True, or leave it out."
        )
    return sorted(range(len(lengths)), key=lambda index: -lengths[index])


def assemble(
    ids_T: Tensor,
    type_ids_T: Tensor,
    positions_T: Tensor,
    *,
    order: Sequence[int],
    lengths: Sequence[int],
    device: torch.device | str,
) -> Packed:
    """A packed batch from tokens that already stand in packed order."""
    first_B = torch.tensor([0, *lengths[:-1]]).cumsum(0)
    return Packed(
        ids_T=ids_T.to(device),
        type_ids_T=type_ids_T.to(device),
        positions_T=positions_T.to(device),
        first_B=first_B.to(device),
        order_B=torch.tensor(order).to(device),
        lengths=tuple(lengths),
        groups=tuple(_groups(lengths, device)),
    )


def _groups(lengths: Sequence[int], device: torch.device | str) -> list[Group]:
    groups, start, token = [], 0, 0
    while start < len(lengths):
        stop = start
        while stop < len(lengths) and lengths[start] <= PADDING_ALLOWED * lengths[stop]:
            stop += 1
        groups.append(_group(token, lengths[start:stop], device))
        token += sum(lengths[start:stop])
        start = stop
    return groups


def _group(start: int, lengths: Sequence[int], device: torch.device | str) -> Group:
    longest = lengths[0]
    if lengths[-1] == longest:
        return Group(start, len(lengths), longest)
    sizes = torch.tensor(lengths)
    first = start + torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)[:-1]])
    slots = torch.arange(longest)
    keep = slots < sizes[:, None]
    place = torch.where(keep, first[:, None] + slots, first[:, None])
    return Group(start, len(lengths), longest, place.flatten().to(device), keep.to(device))
