"""What a model gives for a packed batch, and the padded form of it that people know.

Shapes: T tokens of all texts, B texts, S sequence, H heads, N texts of a group, L their slots.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from headway.neural.attention import Weights
from headway.neural.groups import Group
from headway.neural.packing import Packed


@dataclass(frozen=True)
class Encoded:
    """What the encoder gives: the last states (tokens, hidden) and, where asked for, those around each step and its weights."""

    states_TD: Tensor
    hidden: tuple[Tensor, ...] | None
    weights: tuple[Weights, ...] | None
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class PackedOutputs:
    """A model's outputs under the names of transformers: for each token, and for each text in packed order."""

    tokens: dict[str, Tensor] = field(default_factory=dict)
    texts: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Padding:
    """Where packed tokens stand in the caller's (batch, sequence)."""

    packed: Packed
    place_T: Tensor
    shape: tuple[int, int]

    def tokens(self, values_T: Tensor, *, fill: float = 0.0) -> Tensor:
        """One value a token as (batch, sequence, …), ``fill`` where nothing is attended."""
        flat = values_T.new_full((self.shape[0] * self.shape[1], *values_T.shape[1:]), fill)
        return flat.index_copy(0, self.place_T, values_T).view(*self.shape, *values_T.shape[1:])

    def weights(self, by_step: Sequence[Weights], groups: Sequence[Group]) -> tuple[Tensor, ...]:
        """Each step's attention weights as (batch, heads, sequence, sequence), zeros where either token is not attended."""
        return tuple(self._of_step(weights, groups) for weights in by_step)

    def _of_step(self, weights: Weights, groups: Sequence[Group]) -> Tensor:
        batch, sequence = self.shape
        padded = weights[0].new_zeros(batch, weights[0].shape[1], sequence, sequence)
        rows, columns = self.packed.order_B.tolist(), (self.place_T[self.packed.first_B] % sequence).tolist()
        text = 0
        for weights_NHLL, group in zip(weights, groups, strict=True):
            if group.keep is not None:
                weights_NHLL = weights_NHLL * group.keep[:, None, :, None]
            for weights_HLL in weights_NHLL:
                first, extent = columns[text], self.packed.extents[text]
                near = slice(first, first + extent)
                padded[rows[text], :, near, near] = weights_HLL[:, :extent, :extent]
                text += 1
        return padded
