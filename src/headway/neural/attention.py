"""Self-attention of packed tokens to those of their own text, in all its kinds.

Shapes: T tokens, D hidden, H heads, K head size, P rows of a table of relative positions, N texts, L slots.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headway.architecture import Disentangled, Rotary, SelfAttention
from headway.neural.bands import attend_in_band
from headway.neural.blockwise import attend_in_blocks
from headway.neural.context import Context, Sight
from headway.neural.disentangled import PositionVectors, attend_disentangled
from headway.neural.dropout import drop
from headway.neural.products import attend, attend_openly, attend_varlen, has_varlen_kernel, wants_kernel
from headway.neural.projections import JoinedProjection
from headway.neural.rotary import rotate

Weights: TypeAlias = tuple[Tensor, ...]
"""Attention weights of each group, (texts, heads, slots, slots); empty unless the context asks for them."""

Product: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor | None]]
"""From a group's queries, keys, values and mask to the mixed values and, where they are wanted, the weights."""


class PackedAttention(nn.Module):
    """Scaled dot-product attention (Vaswani et al., 2017, section 3.2) with whatever positions the family has."""

    def __init__(self, parts: SelfAttention, hidden_size: int) -> None:
        super().__init__()
        self.parts = parts
        self.qkv = JoinedProjection(hidden_size, bias=parts.bias == "all")
        if parts.bias == "query-value":
            self.query_bias = nn.Parameter(torch.zeros(hidden_size))
            self.value_bias = nn.Parameter(torch.zeros(hidden_size))
        positions = parts.positions
        if isinstance(positions, Disentangled) and not positions.shared:
            if "content-to-position" in positions.terms:
                self.position_key = nn.Linear(hidden_size, hidden_size, bias=positions.key_bias)
            if "position-to-content" in positions.terms:
                self.position_query = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=parts.out_bias)

    def forward(self, states_TD: Tensor, context: Context) -> tuple[Tensor, Weights]:
        """Each token's mixture of its text's values, (tokens, hidden), and the weights where the context wants them."""
        qkv_T3HK = self._mapped(states_TD).view(len(states_TD), 3, self.parts.num_heads, -1)
        dropout = self.parts.dropout if self.training else 0.0
        if isinstance(self.parts.positions, Disentangled):
            mixed_THK, weights = self._disentangled(self.parts.positions, qkv_T3HK, context, dropout)
        else:
            if isinstance(self.parts.positions, Rotary):
                qkv_T3HK = rotate(qkv_T3HK, context.rotary[self.parts.positions.theta])
            mixed_THK, weights = self._plain(qkv_T3HK, context, dropout)
        return self.out(mixed_THK.flatten(1)), weights

    def _plain(self, qkv_T3HK: Tensor, context: Context, dropout: float) -> tuple[Tensor, Weights]:
        window, packed = self.parts.window, context.packed
        is_plain = not context.wants_weights and context.bias is None
        if is_plain and has_varlen_kernel(qkv_T3HK, packed, window=window):
            return attend_varlen(qkv_T3HK, packed, window=window, dropout=dropout), ()
        sight = context.sight(window)
        if context.wants_weights:
            return _by_group(partial(attend_openly, dropout=dropout, gives_scores=context.wants_scores), qkv_T3HK, sight)
        found = []
        if sight.band is not None:
            banded = sight.band.tokens
            found.append(attend_in_band(qkv_T3HK[:banded], sight.band, dropout=dropout))
            qkv_T3HK = qkv_T3HK[banded:]
        if sight.groups:
            found.append(_by_group(lambda *qkvm: (attend(*qkvm, dropout=dropout), None), qkv_T3HK, sight)[0])
        return _end_to_end(found), ()

    def _disentangled(self, parts: Disentangled, qkv_T3HK: Tensor, context: Context, dropout: float) -> tuple[Tensor, Weights]:
        scale = (qkv_T3HK.shape[-1] * (1 + len(parts.terms))) ** -0.5
        vectors = self._position_vectors(parts, context, scale)
        if qkv_T3HK.device.type == "cpu" and not context.wants_weights:
            return attend_in_blocks(qkv_T3HK, vectors, context.groups, scale=scale, dropout=dropout), ()
        if not context.wants_weights and wants_kernel(qkv_T3HK, context.packed):
            from headway.neural.disentangled_kernel import attend_in_kernel

            return attend_in_kernel(qkv_T3HK, vectors, context.packed.lengths, scale=scale, dropout=dropout), ()
        product = partial(attend_disentangled, vectors=vectors, scale=scale, dropout=dropout, gives_scores=context.wants_scores)
        return _by_group(product, qkv_T3HK, context.sight(None))

    def _position_vectors(self, parts: Disentangled, context: Context, scale: float) -> PositionVectors:
        assert context.distances is not None
        distances = context.distances
        table_PD = drop(distances.table_PD, parts.dropout) if self.training else distances.table_PD
        keys_PD, queries_PD = self._projected(parts, table_PD)
        return PositionVectors(
            distances.longest,
            keys_HRK=None if keys_PD is None else distances.falling(self._heads_first(keys_PD)),
            queries_HRK=None if queries_PD is None else distances.rising(self._heads_first(queries_PD * scale)),
        )

    def _heads_first(self, rows_PD: Tensor) -> Tensor:
        return rows_PD.view(len(rows_PD), self.parts.num_heads, -1).transpose(0, 1)

    def _projected(self, parts: Disentangled, table_PD: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The table as keys for the queries, and as queries for the keys; None for a term that the model does not have."""
        has_keys, has_queries = ("content-to-position" in parts.terms), ("position-to-content" in parts.terms)
        if not parts.shared:
            keys_PD = self.position_key(table_PD) if has_keys else None
            return keys_PD, self.position_query(table_PD) if has_queries else None
        queries_PD, keys_PD = self._queries_and_keys(table_PD).split(table_PD.shape[1], dim=-1)[:2]
        return keys_PD if has_keys else None, queries_PD if has_queries else None

    def _queries_and_keys(self, table_PD: Tensor) -> Tensor:
        """The layer's own maps of the table, without the values, which nobody reads, where that can be had."""
        if type(self.qkv) is not JoinedProjection or self.qkv.is_adapted or self.parts.bias == "query-value":
            return self._mapped(table_PD)
        both = 2 * table_PD.shape[1]
        return F.linear(table_PD, self.qkv.weight[:both], None if self.qkv.bias is None else self.qkv.bias[:both])

    def _mapped(self, states_TD: Tensor) -> Tensor:
        """Queries, keys and values, (tokens, three times hidden). The module is called, so that adapters in its place count."""
        mapped_TE = self.qkv(states_TD)
        if self.parts.bias != "query-value":
            return mapped_TE
        bias_E = torch.cat([self.query_bias, torch.zeros_like(self.query_bias), self.value_bias])
        return mapped_TE + bias_E.to(mapped_TE.dtype)


def _by_group(product: Product, qkv_T3HK: Tensor, sight: Sight) -> tuple[Tensor, Weights]:
    """The product of each group's queries, keys and values, end to end again, and the weights, where the product gives them."""
    found: list[Tensor] = []
    weights: list[Tensor] = []
    by_group = qkv_T3HK.split([group.tokens for group in sight.groups])
    for group, mask, rows_T3HK in zip(sight.groups, sight.masks, by_group, strict=True):
        heads = (group.texts, group.length, *rows_T3HK.shape[1:])
        q_NHLK, k_NHLK, v_NHLK = group.padded(rows_T3HK).view(heads).permute(2, 0, 3, 1, 4)
        mixed_NHLK, weights_NHLL = product(q_NHLK, k_NHLK, v_NHLK, mask)
        found.append(group.unpadded(mixed_NHLK.transpose(1, 2).flatten(0, 1)))
        weights += [] if weights_NHLL is None else [weights_NHLL]
    return _end_to_end(found), tuple(weights)


def _end_to_end(found: list[Tensor]) -> Tensor:
    return torch.cat(found) if len(found) > 1 else found[0]
