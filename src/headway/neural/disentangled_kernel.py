"""Disentangled attention in one kernel for GPUs, written in Triton: texts end to end, no scores in main memory, exact gradients.

Each program holds a tile of queries of one text and head and walks over the tiles of keys, with a running softmax (Dao, 2023,
arXiv:2307.08691, section 3.1). The distances between the tokens of two tiles of B tokens are 2 B - 1 neighbours in the tables of
position vectors, so a tile of scores takes a product with 2 B rows of a table, of which each row of the tile reads a stretch of
its own. In the backward pass the same stretches are written back, and the tables' gradients are summed with atomic additions.

It gives what ``attend_disentangled`` gives; a test compares them through Triton's interpreter, which needs no GPU. Loaded only
where Triton is installed, which comes with torch for CUDA.

Shapes: T tokens, H heads, K head size, R distances, N tiles of all texts; in the kernels B tokens of a tile, W = 2 B.
"""

import itertools
from functools import lru_cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from headway.neural.disentangled import PositionVectors
from headway.neural.packing import placed

WARPS = 4
LARGEST_TILE, WIDE_TILE, WIDE_HEAD = 64, 32, 64
"""Tokens of a tile: as many as leave room for two tables' rows in a multiprocessor's memory."""


def attend_in_kernel(
    qkv_T3HK: Tensor,
    vectors: PositionVectors,
    lengths: tuple[int, ...],
    *,
    scale: float,
    dropout: float,
    tile: int | None = None,
) -> Tensor:
    """Each token's mixture of its text's values, (tokens, heads, head size). ``tile`` is chosen by the head size unless given."""
    chosen = tile or (LARGEST_TILE if qkv_T3HK.shape[-1] <= WIDE_HEAD else WIDE_TILE)
    seed = int(torch.randint(2**31 - 1, ())) if dropout else 0
    keys_HRK, queries_HRK = (
        None if table is None else table.to(qkv_T3HK.dtype).contiguous() for table in (vectors.keys_HRK, vectors.queries_HRK)
    )
    mixed_THK = _Attention.apply(
        qkv_T3HK.contiguous(), keys_HRK, queries_HRK, vectors.longest, lengths, scale, dropout, seed, chosen
    )
    assert isinstance(mixed_THK, Tensor)
    return mixed_THK


@lru_cache(maxsize=8)
def tiles_of(lengths: tuple[int, ...], tile: int, device: torch.device) -> Tensor:
    """For each tile of the texts its text's first token and length, and the tile's first token in its text, (N, 3)."""
    firsts = itertools.accumulate(lengths, initial=0)
    found = [(first, length, start) for first, length in zip(firsts, lengths, strict=False) for start in range(0, length, tile)]
    return placed(torch.tensor(found, dtype=torch.int32), device)


class _Attention(torch.autograd.Function):
    """Only the output and one number for each query and head are kept; scores are made again for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        qkv_T3HK: Tensor,
        keys_HRK: Tensor | None,
        queries_HRK: Tensor | None,
        longest: int,
        lengths: tuple[int, ...],
        scale: float,
        dropout: float,
        seed: int,
        tile: int,
    ) -> Tensor:
        tokens, _, heads, _ = qkv_T3HK.shape
        tiles_N3 = tiles_of(lengths, tile, qkv_T3HK.device)
        mixed_THK = torch.empty_like(qkv_T3HK[:, 0])
        log_sums_HT = torch.empty(heads, tokens, dtype=torch.float32, device=qkv_T3HK.device)
        shared = _shared(qkv_T3HK, keys_HRK, queries_HRK, longest, scale, dropout, seed, tile)
        _forward[(len(tiles_N3), heads)](qkv_T3HK, tiles_N3, mixed_THK, log_sums_HT, **shared)
        ctx.save_for_backward(qkv_T3HK, keys_HRK, queries_HRK, mixed_THK, log_sums_HT)
        ctx.tiles_N3, ctx.rest = tiles_N3, (longest, scale, dropout, seed, tile)
        return mixed_THK

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_mixed_THK: Tensor) -> tuple[Tensor | None, ...]:
        qkv_T3HK, keys_HRK, queries_HRK, mixed_THK, log_sums_HT = ctx.saved_tensors
        d_mixed_THK = d_mixed_THK.contiguous()
        shares_HT = (d_mixed_THK.float() * mixed_THK.float()).sum(-1).t().contiguous()
        d_qkv_T3HK = torch.empty_like(qkv_T3HK)
        d_keys_HRK, d_queries_HRK = (
            None if table is None else torch.zeros_like(table, dtype=torch.float32) for table in (keys_HRK, queries_HRK)
        )
        shared = _shared(qkv_T3HK, keys_HRK, queries_HRK, *ctx.rest)
        given = (qkv_T3HK, ctx.tiles_N3, d_mixed_THK, log_sums_HT, shares_HT, d_qkv_T3HK)
        grid = (len(ctx.tiles_N3), qkv_T3HK.shape[2])
        _backward_queries[grid](*given, qkv_T3HK if d_keys_HRK is None else d_keys_HRK, **shared)
        _backward_keys[grid](*given, qkv_T3HK if d_queries_HRK is None else d_queries_HRK, **shared)
        d_tables = (None if found is None else found.to(qkv_T3HK.dtype) for found in (d_keys_HRK, d_queries_HRK))
        return (d_qkv_T3HK, *d_tables, None, None, None, None, None, None)


def _shared(
    qkv_T3HK: Tensor,
    keys_HRK: Tensor | None,
    queries_HRK: Tensor | None,
    longest: int,
    scale: float,
    dropout: float,
    seed: int,
    tile: int,
) -> dict[str, Any]:
    """What all kernels are told. A term that the model does not have gets some pointer that is never read."""
    tokens, _, heads, size = qkv_T3HK.shape
    return {
        "keys": qkv_T3HK if keys_HRK is None else keys_HRK,
        "queries": qkv_T3HK if queries_HRK is None else queries_HRK,
        "tokens": tokens,
        "longest": longest,
        "scale": scale,
        "dropout": dropout,
        "seed": seed,
        "HEADS": heads,
        "K": size,
        "KP": max(16, triton.next_power_of_2(size)),
        "B": tile,
        "HAS_KEYS": keys_HRK is not None,
        "HAS_QUERIES": queries_HRK is not None,
        "DROPS": dropout > 0,
        "PRECISION": "ieee" if qkv_T3HK.dtype == torch.float32 else "tf32",
        "num_warps": WARPS,
    }


@triton.jit
def _rows(base, row, inside, stride, K: tl.constexpr, KP: tl.constexpr):
    """Rows of K numbers, (rows, KP); zeros where a row is not inside."""
    column = tl.arange(0, KP)
    return tl.load(base + row[:, None] * stride + column[None, :], mask=inside[:, None] & (column < K)[None, :], other=0.0)


@triton.jit
def _scaled_queries(qkv, head, row, inside, scale, HEADS: tl.constexpr, K: tl.constexpr, KP: tl.constexpr):
    q = _rows(qkv + head * K, row, inside, 3 * HEADS * K, K, KP)
    return (q * scale).to(q.dtype)


@triton.jit
def _keys_and_values(qkv, head, row, inside, HEADS: tl.constexpr, K: tl.constexpr, KP: tl.constexpr):
    k = _rows(qkv + (HEADS + head) * K, row, inside, 3 * HEADS * K, K, KP)
    v = _rows(qkv + (2 * HEADS + head) * K, row, inside, 3 * HEADS * K, K, KP)
    return k, v


@triton.jit
def _queries_and_gradients(
    qkv, d_mixed, log_sums, shares, head, row, inside, tokens, scale,
    HEADS: tl.constexpr, K: tl.constexpr, KP: tl.constexpr,
):  # fmt: skip
    """A tile's scaled queries with the gradients of their mixtures, and the two numbers that each needs for its weights'."""
    q = _scaled_queries(qkv, head, row, inside, scale, HEADS, K, KP)
    d_out = _rows(d_mixed + head * K, row, inside, HEADS * K, K, KP)
    log_sum = tl.load(log_sums + head * tokens + row, mask=inside, other=0.0)
    share = tl.load(shares + head * tokens + row, mask=inside, other=0.0)
    return q, d_out, log_sum, share


@triton.jit
def _near(table, head, begin, longest, K: tl.constexpr, KP: tl.constexpr, B: tl.constexpr):
    """The rows of a table for the distances between two tiles, (2 B, KP), and their places in the table."""
    distances = 2 * longest - 1
    row = begin + tl.arange(0, 2 * B)
    inside = (row >= 0) & (row < distances)
    return _rows(table + head * distances * K, row, inside, K, K, KP), row, inside


@triton.jit
def _stretched(products_BW, B: tl.constexpr):
    """Of each row a its B numbers from B - 1 - a on: products by distance as products by token."""
    a, b = tl.arange(0, B), tl.arange(0, B)
    return tl.gather(products_BW, b[None, :] - a[:, None] + (B - 1), 1)


@triton.jit
def _spread(values_BB, B: tl.constexpr):
    """The way back: each row's numbers from place B - 1 - a on, zeros around them."""
    a, w = tl.arange(0, B), tl.arange(0, 2 * B)
    place = w[None, :] + a[:, None] - (B - 1)
    found = tl.gather(values_BB, tl.minimum(tl.maximum(place, 0), B - 1), 1)
    return tl.where((place >= 0) & (place < B), found, 0.0)


@triton.jit
def _scores(
    q, k, keys, queries, head, start, begin, longest,
    K: tl.constexpr, KP: tl.constexpr, B: tl.constexpr,
    HAS_KEYS: tl.constexpr, HAS_QUERIES: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The scores of a tile of scaled queries, from ``start`` on, with one of keys, from ``begin`` on, (B, B)."""
    scores = tl.dot(q, tl.trans(k), input_precision=PRECISION)
    if HAS_KEYS:
        near, _, _ = _near(keys, head, longest + begin - start - B, longest, K, KP, B)
        scores += _stretched(tl.dot(q, tl.trans(near), input_precision=PRECISION), B)
    if HAS_QUERIES:
        near, _, _ = _near(queries, head, longest + start - begin - B, longest, K, KP, B)
        scores += tl.trans(_stretched(tl.dot(k, tl.trans(near), input_precision=PRECISION), B))
    return scores


@triton.jit
def _stays(seed, head, i, j, first, longest, dropout):
    """Which weights dropout lets stay: the same in both passes, for it depends on the places alone."""
    return tl.rand(seed + head, (first + i)[:, None] * longest + j[None, :]) >= dropout


@triton.jit
def _forward(
    qkv, tiles, mixed, log_sums, keys, queries, tokens, longest, scale, dropout, seed,
    HEADS: tl.constexpr, K: tl.constexpr, KP: tl.constexpr, B: tl.constexpr,
    HAS_KEYS: tl.constexpr, HAS_QUERIES: tl.constexpr, DROPS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    tile, head = tl.program_id(0), tl.program_id(1)
    first, length, start = tl.load(tiles + tile * 3), tl.load(tiles + tile * 3 + 1), tl.load(tiles + tile * 3 + 2)
    i = start + tl.arange(0, B)
    row = (first + i).to(tl.int64)
    q = _scaled_queries(qkv, head, row, i < length, scale, HEADS, K, KP)
    highest = tl.full((B,), float("-inf"), tl.float32)
    total = tl.zeros((B,), tl.float32)
    found = tl.zeros((B, KP), tl.float32)
    for begin in range(0, length, B):
        j = begin + tl.arange(0, B)
        other = (first + j).to(tl.int64)
        k, v = _keys_and_values(qkv, head, other, j < length, HEADS, K, KP)
        scores = _scores(q, k, keys, queries, head, start, begin, longest, K, KP, B, HAS_KEYS, HAS_QUERIES, PRECISION)
        scores = tl.where((j < length)[None, :], scores, float("-inf"))
        higher = tl.maximum(highest, tl.max(scores, 1))
        weights = tl.exp(scores - higher[:, None])
        shrunk = tl.exp(highest - higher)
        total = total * shrunk + tl.sum(weights, 1)
        if DROPS:
            weights = tl.where(_stays(seed, head, i, j, first, longest, dropout), weights / (1 - dropout), 0.0)
        found = found * shrunk[:, None] + tl.dot(weights.to(v.dtype), v, input_precision=PRECISION)
        highest = higher
    column = tl.arange(0, KP)
    places = mixed + (row[:, None] * HEADS + head) * K + column[None, :]
    tl.store(places, (found / total[:, None]).to(mixed.dtype.element_ty), mask=(i < length)[:, None] & (column < K)[None, :])
    tl.store(log_sums + head * tokens + row, highest + tl.log(total), mask=i < length)


@triton.jit
def _weights_and_gradients(
    q, k, v, d_mixed, log_sum, share, keys, queries, head, first, start, begin, length, longest, dropout, seed,
    K: tl.constexpr, KP: tl.constexpr, B: tl.constexpr,
    HAS_KEYS: tl.constexpr, HAS_QUERIES: tl.constexpr, DROPS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The weights after dropout and the gradients of the scores of two tiles, (B, B) each."""
    i, j = start + tl.arange(0, B), begin + tl.arange(0, B)
    scores = _scores(q, k, keys, queries, head, start, begin, longest, K, KP, B, HAS_KEYS, HAS_QUERIES, PRECISION)
    is_pair = (i < length)[:, None] & (j < length)[None, :]
    weights = tl.where(is_pair, tl.exp(scores - log_sum[:, None]), 0.0)
    used, d_weights = weights, tl.dot(d_mixed, tl.trans(v), input_precision=PRECISION)
    if DROPS:
        stays = _stays(seed, head, i, j, first, longest, dropout)
        used = tl.where(stays, weights / (1 - dropout), 0.0)
        d_weights = tl.where(stays, d_weights / (1 - dropout), 0.0)
    return used, weights * (d_weights - share[:, None])


@triton.jit
def _add_to_table(d_table, head, d_near, row, inside, longest, K: tl.constexpr, KP: tl.constexpr):
    column = tl.arange(0, KP)
    places = d_table + head * (2 * longest - 1) * K + row[:, None] * K + column[None, :]
    tl.atomic_add(places, d_near, mask=inside[:, None] & (column < K)[None, :])


@triton.jit
def _backward_queries(
    qkv, tiles, d_mixed, log_sums, shares, d_qkv, d_keys, keys, queries, tokens, longest, scale, dropout, seed,
    HEADS: tl.constexpr, K: tl.constexpr, KP: tl.constexpr, B: tl.constexpr,
    HAS_KEYS: tl.constexpr, HAS_QUERIES: tl.constexpr, DROPS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The gradients of a tile of queries, and its share in those of the table that the queries meet."""
    tile, head = tl.program_id(0), tl.program_id(1)
    first, length, start = tl.load(tiles + tile * 3), tl.load(tiles + tile * 3 + 1), tl.load(tiles + tile * 3 + 2)
    i = start + tl.arange(0, B)
    row = (first + i).to(tl.int64)
    q, d_out, log_sum, share = _queries_and_gradients(
        qkv, d_mixed, log_sums, shares, head, row, i < length, tokens, scale, HEADS, K, KP
    )
    found = tl.zeros((B, KP), tl.float32)
    for begin in range(0, length, B):
        j = begin + tl.arange(0, B)
        other = (first + j).to(tl.int64)
        k, v = _keys_and_values(qkv, head, other, j < length, HEADS, K, KP)
        _, d_scores = _weights_and_gradients(
            q, k, v, d_out, log_sum, share, keys, queries, head, first, start, begin, length, longest, dropout, seed,
            K, KP, B, HAS_KEYS, HAS_QUERIES, DROPS, PRECISION,
        )  # fmt: skip
        found += tl.dot(d_scores.to(k.dtype), k, input_precision=PRECISION)
        if HAS_KEYS:
            near, place, inside = _near(keys, head, longest + begin - start - B, longest, K, KP, B)
            d_products = _spread(d_scores, B).to(k.dtype)
            found += tl.dot(d_products, near, input_precision=PRECISION)
            d_near = tl.dot(tl.trans(d_products), q, input_precision=PRECISION)
            _add_to_table(d_keys, head, d_near, place, inside, longest, K, KP)
    column = tl.arange(0, KP)
    places = d_qkv + (row[:, None] * 3 * HEADS + head) * K + column[None, :]
    tl.store(places, (found * scale).to(d_qkv.dtype.element_ty), mask=(i < length)[:, None] & (column < K)[None, :])


@triton.jit
def _backward_keys(
    qkv, tiles, d_mixed, log_sums, shares, d_qkv, d_queries, keys, queries, tokens, longest, scale, dropout, seed,
    HEADS: tl.constexpr, K: tl.constexpr, KP: tl.constexpr, B: tl.constexpr,
    HAS_KEYS: tl.constexpr, HAS_QUERIES: tl.constexpr, DROPS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The gradients of a tile of keys and values, and its share in those of the table that the keys meet."""
    tile, head = tl.program_id(0), tl.program_id(1)
    first, length, begin = tl.load(tiles + tile * 3), tl.load(tiles + tile * 3 + 1), tl.load(tiles + tile * 3 + 2)
    j = begin + tl.arange(0, B)
    other = (first + j).to(tl.int64)
    k, v = _keys_and_values(qkv, head, other, j < length, HEADS, K, KP)
    found_k = tl.zeros((B, KP), tl.float32)
    found_v = tl.zeros((B, KP), tl.float32)
    for start in range(0, length, B):
        i = start + tl.arange(0, B)
        row = (first + i).to(tl.int64)
        q, d_out, log_sum, share = _queries_and_gradients(
            qkv, d_mixed, log_sums, shares, head, row, i < length, tokens, scale, HEADS, K, KP
        )
        used, d_scores = _weights_and_gradients(
            q, k, v, d_out, log_sum, share, keys, queries, head, first, start, begin, length, longest, dropout, seed,
            K, KP, B, HAS_KEYS, HAS_QUERIES, DROPS, PRECISION,
        )  # fmt: skip
        found_v += tl.dot(tl.trans(used.to(k.dtype)), d_out, input_precision=PRECISION)
        d_turned = tl.trans(d_scores)
        found_k += tl.dot(d_turned.to(k.dtype), q, input_precision=PRECISION)
        if HAS_QUERIES:
            near, place, inside = _near(queries, head, longest + start - begin - B, longest, K, KP, B)
            d_products = _spread(d_turned, B).to(k.dtype)
            found_k += tl.dot(d_products, near, input_precision=PRECISION)
            d_near = tl.dot(tl.trans(d_products), k, input_precision=PRECISION)
            _add_to_table(d_queries, head, d_near, place, inside, longest, K, KP)
    column = tl.arange(0, KP)
    inside = (j < length)[:, None] & (column < K)[None, :]
    places = d_qkv + (other[:, None] * 3 * HEADS + head) * K + column[None, :]
    tl.store(places + HEADS * K, found_k.to(d_qkv.dtype.element_ty), mask=inside)
    tl.store(places + 2 * HEADS * K, found_v.to(d_qkv.dtype.element_ty), mask=inside)
