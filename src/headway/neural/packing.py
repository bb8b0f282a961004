"""Padding-free batches: the tokens of all texts end to end.

Shapes: T tokens of all texts together, B texts, E width of token vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from headway.core.batching import TokenSequence
from headway.errors import InputError


@dataclass(frozen=True)
class Packed:
    """A batch without padding. Texts stand longest first; ``order`` gives each one's place in the caller's list.

    ``columns`` are the tokens' places in their texts as the caller has them, and ``extents`` say how many columns each text
    spans: more than its tokens where a mask has holes. ``position_ids`` are the caller's own, or those counted where padding was
    still seen. With ``vectors`` in their place, ids are all zero and not looked up.
    """

    ids_T: Tensor
    type_ids_T: Tensor
    columns_T: Tensor
    first_B: Tensor
    order_B: Tensor
    lengths: tuple[int, ...]
    extents: tuple[int, ...]
    position_ids_T: Tensor | None = None
    vectors_TE: Tensor | None = None

    @property
    def tokens(self) -> int:
        """Tokens of all texts."""
        return sum(self.lengths)

    @property
    def device(self) -> torch.device:
        """Where the batch is."""
        return self.ids_T.device

    def text_numbers(self) -> Tensor:
        """The number of each token's text, (tokens,), in packed order."""
        lengths_B = torch.tensor(self.lengths, device=self.device)
        return torch.arange(len(self.lengths), device=self.device).repeat_interleave(lengths_B, output_size=self.tokens)

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
    lengths = tuple(len(sequences[index]) for index in order)
    return Packed(
        ids_T=torch.tensor(ids).to(device),
        type_ids_T=torch.tensor(types).to(device),
        columns_T=torch.cat([torch.arange(length) for length in lengths]).to(device),
        first_B=first_tokens(lengths).to(device),
        order_B=torch.tensor(order).to(device),
        lengths=lengths,
        extents=lengths,
    )


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


def first_tokens(lengths: Sequence[int]) -> Tensor:
    """Where each text begins among the packed tokens, (texts,)."""
    return torch.tensor([0, *lengths[:-1]]).cumsum(0)
