"""Padding-free batches: the tokens of all texts end to end.

Shapes: T tokens of all texts together, B texts, E width of token vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import torch
import torch.nn.functional as F
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

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: placed(value, device) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **moved)

    @cached_property
    def bounds(self) -> Tensor:
        """Where each text begins, and where the last one ends, (texts + 1,), in packed order: as kernels want it, in int32."""
        return F.pad(self.first_B, (0, 1), value=self.tokens).int()

    @property
    def text_lengths(self) -> Tensor:
        """Tokens of each text, (texts,), in packed order: told by what is on the device already."""
        return self.bounds.diff().long()

    def text_numbers(self) -> Tensor:
        """The number of each token's text, (tokens,), in packed order."""
        texts_B = torch.arange(len(self.lengths), device=self.device)
        return texts_B.repeat_interleave(self.text_lengths, output_size=self.tokens)

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
        ids_T=placed(torch.tensor(ids), device),
        type_ids_T=placed(torch.tensor(types), device),
        columns_T=placed(torch.cat([torch.arange(length) for length in lengths]), device),
        first_B=placed(first_tokens(lengths), device),
        order_B=placed(torch.tensor(order), device),
        lengths=lengths,
        extents=lengths,
    )


def placed(values: Tensor, device: torch.device | str) -> Tensor:
    """The values on a device. Towards a GPU they wait for nothing that it still has to do, as a plain copy would."""
    device = torch.device(device)
    if device.type != "cuda" or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


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
