"""What all layers of one forward pass share: groups of texts, masks, rotary and relative positions, computed once.

Shapes: T tokens, N texts or blocks, L slots or queries, M keys, H heads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from headway.architecture import BucketBias, Disentangled, Encoder, Rotary
from headway.neural.bands import Band, make_band, worth_a_band
from headway.neural.groups import Group, group_texts
from headway.neural.packing import Packed
from headway.neural.relative import Distances, RelativeTable, bias_by_distance, distances
from headway.neural.rotary import RotaryTable, rotary_table


@dataclass(frozen=True)
class Sight:
    """Which keys the queries see: a band along the longest texts, where a window makes that pay, and the groups of the others.

    Each group's mask is for (texts, heads, queries, keys): None, True where a key may be seen, or numbers to add to the scores.
    """

    band: Band | None
    groups: tuple[Group, ...]
    masks: tuple[Tensor | None, ...]


@dataclass(frozen=True)
class Context:
    """One forward pass. ``rotary`` are by theta, and ``bias`` is what is added to scores, (heads, queries, keys).

    ``wants_weights`` asks layers for attention weights, ``wants_scores`` for the scores before the softmax in their place.
    Groups and masks are made when the first layer asks for them: a kernel for texts end to end has no use for any.
    """

    packed: Packed
    rotary: Mapping[float, RotaryTable]
    distances: Distances | None
    bias: Tensor | None
    wants_weights: bool
    wants_scores: bool = False
    _sights: dict[int | None, Sight] = field(default_factory=dict)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The texts that share a product."""
        return group_texts(self.packed, alone=self.distances is not None and not self.wants_weights)

    def sight(self, window: int | None) -> Sight:
        """What layers with this window see."""
        if window not in self._sights:
            self._sights[window] = _sight(self.packed, self.groups, window, self.bias, self.wants_weights)
        return self._sights[window]


def make_context(
    encoder: Encoder, packed: Packed, table: RelativeTable | None, *, wants_weights: bool = False, wants_scores: bool = False
) -> Context:
    """What this encoder's layers need to know of a batch."""
    kinds = {layer.attention for layer in encoder.layers}
    longest = max(packed.extents)
    context = Context(
        packed=packed,
        rotary={
            kind.positions.theta: rotary_table(
                kind.positions.theta, _angles_of(packed), head_size=encoder.hidden_size // kind.num_heads
            )
            for kind in kinds
            if isinstance(kind.positions, Rotary)
        },
        distances=distances(table, longest) if table is not None and isinstance(table.parts, Disentangled) else None,
        bias=bias_by_distance(table, longest) if table is not None and isinstance(table.parts, BucketBias) else None,
        wants_weights=wants_weights,
        wants_scores=wants_scores,
    )
    if context.bias is not None:
        for kind in kinds:
            context.sight(kind.window)  # these masks are learnt: layers that run twice must find them, not make them
    return context


def _angles_of(packed: Packed) -> Tensor:
    return packed.columns_T if packed.position_ids_T is None else packed.position_ids_T


def _sight(packed: Packed, groups: tuple[Group, ...], window: int | None, bias: Tensor | None, wants_weights: bool) -> Sight:
    if window is None:
        return Sight(None, groups, tuple(_mask(group, bias) for group in groups))
    banded = () if wants_weights else tuple(group for group in groups if worth_a_band(group.length, window))
    others = groups[len(banded) :]
    tokens = sum(group.tokens for group in banded)
    band = make_band(packed, tokens, window) if tokens else None
    return Sight(band, others, tuple(_window_mask(group, window, packed.device) for group in others))


def _mask(group: Group, bias: Tensor | None) -> Tensor | None:
    keep = None if group.keep is None else group.keep[:, None, None, :]
    if bias is None:
        return keep
    bias_1HLL = bias[None, :, : group.length, : group.length]
    return bias_1HLL if keep is None else bias_1HLL.masked_fill(~keep, -torch.inf)


def _window_mask(group: Group, window: int, device: torch.device) -> Tensor | None:
    """Keys that are real and near; an empty slot sees itself, so that no query is left without a key."""
    if group.length <= window + 1:
        return _mask(group, None)
    slot_L = torch.arange(group.length, device=device)
    distance_LL = (slot_L[:, None] - slot_L).abs()
    near_11LL = (distance_LL <= window)[None, None]
    if group.keep is None:
        return near_11LL
    return (near_11LL & group.keep[:, None, None, :]) | (distance_LL == 0)
