"""Which texts share one batched product of attention, and their slots in it.

Shapes: T tokens of a group, N its texts, L slots of each text, E any width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from headway.neural.packing import Packed, first_tokens, placed

PADDING_ALLOWED = 1.25
"""Short texts share a group while the longest has at most this many times the tokens of the shortest."""

LONG = 64
"""From this length on a text of its own length pays on a CPU: a call costs less than moving rows and multiplying padding."""


@dataclass(frozen=True)
class Group:
    """Texts of like length whose attention is one batched product.

    Where every slot holds a token the tensors are None; else ``place`` is the token of each of the texts x length slots, ``slot``
    the slot of each token, and ``keep`` (texts, length) says which slots hold one.
    """

    lengths: tuple[int, ...]
    length: int
    place: Tensor | None = None
    slot: Tensor | None = None
    keep: Tensor | None = None

    @property
    def texts(self) -> int:
        """How many texts these are."""
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """Tokens of these texts."""
        return sum(self.lengths)

    def padded(self, rows_TE: Tensor) -> Tensor:
        """The group's tokens in their slots, (texts * length, …); an empty slot repeats the first token."""
        return rows_TE if self.place is None else rows_TE.index_select(0, self.place)

    def unpadded(self, slots: Tensor) -> Tensor:
        """The slots that hold tokens, (tokens, …)."""
        return slots if self.slot is None else slots.index_select(0, self.slot)


def group_texts(packed: Packed, *, alone: bool = False) -> tuple[Group, ...]:
    """All texts in groups, in packed order. ``alone``: texts from ``LONG`` slots on share no group even with their equals."""
    long = LONG if packed.device.type == "cpu" else max(packed.extents) + 1
    groups, start, token = [], 0, 0
    while start < len(packed.lengths):
        longest = packed.extents[start]
        stop = start + 1
        while stop < len(packed.extents) and _share(longest, packed.extents[stop], long, alone):
            stop += 1
        groups.append(_group(packed, start, stop, token))
        token += groups[-1].tokens
        start = stop
    return tuple(groups)


def _share(longest: int, extent: int, long: int, alone: bool) -> bool:
    if longest < long:
        return longest <= PADDING_ALLOWED * extent
    return not alone and longest == extent


def _group(packed: Packed, start: int, stop: int, token: int) -> Group:
    lengths, extents = packed.lengths[start:stop], packed.extents[start:stop]
    longest, tokens = extents[0], sum(lengths)
    if all(length == longest for length in lengths):
        return Group(lengths, longest)
    text_T = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    first_T = first_tokens(lengths)[text_T]
    if lengths == extents:
        slot_T = text_T * longest + torch.arange(tokens) - first_T
    else:
        columns_T = packed.columns_T[token : token + tokens].cpu()
        slot_T = text_T * longest + columns_T - columns_T[first_T]
    place = torch.zeros(len(lengths) * longest, dtype=torch.long).index_copy(0, slot_T, torch.arange(tokens))
    keep = torch.zeros(len(lengths) * longest, dtype=torch.bool).index_fill(0, slot_T, True).view(len(lengths), longest)
    return Group(lengths, longest, *(placed(values, packed.device) for values in (place, slot_T, keep)))
