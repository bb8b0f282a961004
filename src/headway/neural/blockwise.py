"""Disentangled attention on a CPU: text by text, in blocks of queries that stay in the cache, with a backward pass of its own.

It gives what ``attend_disentangled`` gives. Autograd would write every product of queries and distances to main memory, twice as
wide as the scores, and a full-sized gradient for each text; here the gradients of all texts go to one place.

Shapes: T tokens, N texts, L slots, H heads, K head size, G = H * N, R distances, W distances that a block needs, S rows.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from headway.neural.disentangled import PositionVectors, in_place, near
from headway.neural.groups import Group

BLOCK = 64
"""Queries of a block: the fewer, the less is computed that no pair of tokens needs; below this the products slow down."""


def attend_in_blocks(
    qkv_T3HK: Tensor, vectors: PositionVectors, groups: Sequence[Group], *, scale: float, dropout: float
) -> Tensor:
    """Each token's mixture of its text's values, (tokens, heads, head size)."""
    mixed_THK = _Attention.apply(qkv_T3HK, vectors.keys_HRK, vectors.queries_HRK, vectors.longest, groups, scale, dropout)
    assert isinstance(mixed_THK, Tensor)
    return mixed_THK


class _Attention(torch.autograd.Function):
    """The weights of all texts are kept for the backward pass; products with positions are made again where they are needed."""

    @staticmethod
    def forward(
        ctx: Any,
        qkv_T3HK: Tensor,
        keys_HRK: Tensor | None,
        queries_HRK: Tensor | None,
        longest: int,
        groups: Sequence[Group],
        scale: float,
        dropout: float,
    ) -> Tensor:
        vectors = PositionVectors(longest, keys_HRK, queries_HRK)
        mixed_THK = torch.empty_like(qkv_T3HK[:, 0])
        kept: list[Tensor] = []
        with torch.autocast(qkv_T3HK.device.type, enabled=False):
            for group, part in _parts(groups):
                q_GLK, k_GLK, v_GLK = _heads_first(group.padded(qkv_T3HK[part]), group)
                weights_GLL = _scores(q_GLK * scale, k_GLK, vectors, group).softmax(-1)
                used_GLL, stayed_GLL = torch.native_dropout(weights_GLL, dropout, True) if dropout else (weights_GLL, None)
                mixed_THK[part] = group.unpadded(_tokens_first(torch.bmm(used_GLL, v_GLK)[None], group)).squeeze(1)
                kept += [weights_GLL] if stayed_GLL is None else [weights_GLL, stayed_GLL]
        ctx.save_for_backward(qkv_T3HK, keys_HRK, queries_HRK, *kept)
        ctx.longest, ctx.groups, ctx.scale, ctx.dropout = longest, groups, scale, dropout
        return mixed_THK

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_mixed_THK: Tensor) -> tuple[Tensor | None, ...]:
        qkv_T3HK, keys_HRK, queries_HRK, *kept = ctx.saved_tensors
        vectors = PositionVectors(ctx.longest, keys_HRK, queries_HRK)
        found = PositionVectors(ctx.longest, _zeros(keys_HRK), _zeros(queries_HRK))
        d_qkv_T3HK, weights = torch.empty_like(qkv_T3HK), iter(kept)
        with torch.autocast(qkv_T3HK.device.type, enabled=False):
            for group, part in _parts(ctx.groups):
                q_GLK, k_GLK, v_GLK = _heads_first(group.padded(qkv_T3HK[part]), group)
                q_GLK = q_GLK * ctx.scale
                (d_mixed_GLK,) = _heads_first(_blank(group.padded(d_mixed_THK[part, None]), group), group)
                weights_GLL = next(weights)
                d_used_GLL = torch.bmm(d_mixed_GLK, v_GLK.transpose(1, 2))
                stayed_GLL = next(weights).to(d_used_GLL.dtype).div_(1 - ctx.dropout) if ctx.dropout else None
                used_GLL = weights_GLL if stayed_GLL is None else weights_GLL * stayed_GLL
                d_weights_GLL = d_used_GLL if stayed_GLL is None else d_used_GLL * stayed_GLL
                d_scores_GLL = torch._softmax_backward_data(d_weights_GLL, weights_GLL, -1, weights_GLL.dtype)
                d_q_GLK, d_k_GLK = _score_gradients(d_scores_GLL, q_GLK, k_GLK, vectors, found)
                d_v_GLK = torch.bmm(used_GLL.transpose(1, 2), d_mixed_GLK)
                d_rows = torch.stack([d_q_GLK * ctx.scale, d_k_GLK, d_v_GLK])
                d_qkv_T3HK[part] = group.unpadded(_tokens_first(d_rows, group))
        return d_qkv_T3HK, found.keys_HRK, found.queries_HRK, None, None, None, None


def _scores(q_GLK: Tensor, k_GLK: Tensor, vectors: PositionVectors, group: Group) -> Tensor:
    scores_GLL = torch.bmm(q_GLK, k_GLK.transpose(1, 2))
    _add_term(scores_GLL, q_GLK, vectors.keys_HRK, vectors.longest)
    _add_term(scores_GLL.transpose(1, 2), k_GLK, vectors.queries_HRK, vectors.longest)
    if group.keep is not None:
        by_text = scores_GLL.view(-1, group.texts, group.length, group.length)
        by_text.masked_fill_(~group.keep[:, None, :], torch.finfo(scores_GLL.dtype).min)
    return scores_GLL


def _add_term(scores_GLL: Tensor, content_GLK: Tensor, vectors_HRK: Tensor | None, longest: int) -> None:
    if vectors_HRK is None:
        return
    for start, stop in _blocks(content_GLK, vectors_HRK):
        near_HWK = near(vectors_HRK, longest, content_GLK.shape[1], (start, stop))
        products_HSW = torch.bmm(_by_head(content_GLK[:, start:stop], vectors_HRK), near_HWK.transpose(1, 2))
        products_GLW = products_HSW.view(len(content_GLK), stop - start, -1)
        scores_GLL[:, start:stop].add_(in_place(products_GLW, content_GLK.shape[1]))


def _score_gradients(
    d_scores_GLL: Tensor, q_GLK: Tensor, k_GLK: Tensor, vectors: PositionVectors, found: PositionVectors
) -> tuple[Tensor, Tensor]:
    """The gradients of queries and keys; those of the vectors are added to ``found``."""
    d_q_GLK, d_k_GLK = torch.bmm(d_scores_GLL, k_GLK), torch.bmm(d_scores_GLL.transpose(1, 2), q_GLK)
    for d_GLL, content_GLK, d_content_GLK, vectors_HRK, d_vectors_HRK in (
        (d_scores_GLL, q_GLK, d_q_GLK, vectors.keys_HRK, found.keys_HRK),
        (d_scores_GLL.transpose(1, 2), k_GLK, d_k_GLK, vectors.queries_HRK, found.queries_HRK),
    ):
        if vectors_HRK is None or d_vectors_HRK is None:
            continue
        groups, length, _ = content_GLK.shape
        for start, stop in _blocks(content_GLK, vectors_HRK):
            d_products_GLW = d_GLL.new_zeros(groups, stop - start, length + stop - start - 1)
            in_place(d_products_GLW, length).copy_(d_GLL[:, start:stop])
            d_products_HSW = _by_head(d_products_GLW, vectors_HRK)
            near_HWK = near(vectors_HRK, vectors.longest, length, (start, stop))
            d_content_GLK[:, start:stop].add_(torch.bmm(d_products_HSW, near_HWK).view(groups, stop - start, -1))
            content_HSK = _by_head(content_GLK[:, start:stop], vectors_HRK)
            d_near_HWK = torch.bmm(d_products_HSW.transpose(1, 2), content_HSK)
            near(d_vectors_HRK, vectors.longest, length, (start, stop)).add_(d_near_HWK)
    return d_q_GLK, d_k_GLK


def _parts(groups: Sequence[Group]) -> Iterator[tuple[Group, slice]]:
    start = 0
    for group in groups:
        yield group, slice(start, start + group.tokens)
        start += group.tokens


def _blocks(content_GLK: Tensor, vectors_HRK: Tensor) -> Iterator[tuple[int, int]]:
    """The first query of each block and one past its last; texts that share a group are one block."""
    groups, length, _ = content_GLK.shape
    size = BLOCK if groups == len(vectors_HRK) else length
    return ((start, min(start + size, length)) for start in range(0, length, size))


def _by_head(rows_GLX: Tensor, vectors_HRK: Tensor) -> Tensor:
    return rows_GLX.reshape(len(vectors_HRK), -1, rows_GLX.shape[-1])


def _heads_first(rows_SXHK: Tensor, group: Group) -> Tensor:
    """(slots, X, heads, K) as (X, heads * texts, slots of a text, K)."""
    by_text = rows_SXHK.view(group.texts, group.length, *rows_SXHK.shape[1:])
    return by_text.permute(2, 3, 0, 1, 4).reshape(rows_SXHK.shape[1], -1, group.length, rows_SXHK.shape[-1])


def _tokens_first(values_XGLK: Tensor, group: Group) -> Tensor:
    """The way back: (slots, X, heads, K)."""
    count, _, length, size = values_XGLK.shape
    by_text = values_XGLK.view(count, -1, group.texts, length, size).permute(2, 3, 0, 1, 4)
    return by_text.reshape(group.texts * length, count, -1, size)


def _blank(rows_SXHK: Tensor, group: Group) -> Tensor:
    """Zeros in the empty slots."""
    return rows_SXHK if group.keep is None else rows_SXHK.masked_fill(~group.keep.view(-1, 1, 1, 1), 0)


def _zeros(vectors_HRK: Tensor | None) -> Tensor | None:
    return None if vectors_HRK is None else torch.zeros_like(vectors_HRK)
