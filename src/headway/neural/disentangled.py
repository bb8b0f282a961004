"""Disentangled attention (He et al., 2021, arXiv:2006.03654, section 3.1) without looking anything up for each pair of tokens.

A product of the queries with one vector for each distance holds every content-to-position score, though not in its place: that of
query i and key j stands in row i at column j - i + L - 1. Read with a stride of one less than its width, the same memory is the
matrix of scores, so neither pass gathers or scatters. The other term is the same with the keys, transposed.

Shapes: N texts, L slots, H heads, K head size, R = 2 L - 1 distances, G = H * N, W width of a product.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from headway.neural.products import masked, mix


@dataclass(frozen=True)
class PositionVectors:
    """One vector for each distance and head, (heads, distances, head size), for texts of up to ``longest`` slots.

    ``keys`` meet the queries (content-to-position); their distances fall, from those to the first key to those to the last.
    ``queries``, which come scaled, meet the keys, and their distances rise. A model may have only one of the two.
    """

    longest: int
    keys_HRK: Tensor | None
    queries_HRK: Tensor | None


def attend_disentangled(
    q_NHLK: Tensor,
    k_NHLK: Tensor,
    v_NHLK: Tensor,
    mask: Tensor | None,
    *,
    vectors: PositionVectors,
    scale: float,
    dropout: float,
    gives_scores: bool = False,
) -> tuple[Tensor, Tensor]:
    """Each query's mixture of values, and the weights, (texts, heads, queries, keys): by plain products, for any device.

    ``gives_scores``: what the weights are made of in their place. Queries are scaled beforehand, since in half precision unscaled
    scores overflow.
    """
    q_HNLK, k_HNLK = (q_NHLK * scale).transpose(0, 1), k_NHLK.transpose(0, 1)
    length = q_HNLK.shape[2]
    scores_HNLL = torch.matmul(q_HNLK, k_HNLK.transpose(-1, -2))
    if vectors.keys_HRK is not None:
        scores_HNLL = scores_HNLL + _by_distance(q_HNLK, near(vectors.keys_HRK, vectors.longest, length, (0, length)))
    if vectors.queries_HRK is not None:
        found_HNLL = _by_distance(k_HNLK, near(vectors.queries_HRK, vectors.longest, length, (0, length)))
        scores_HNLL = scores_HNLL + found_HNLL.transpose(-1, -2)
    return mix(masked(scores_HNLL.transpose(0, 1), mask), v_NHLK, dropout=dropout, gives_scores=gives_scores)


def near(vectors_HRK: Tensor, longest: int, length: int, queries: tuple[int, int]) -> Tensor:
    """The vectors for the distances between some queries, from the first to one past the last, and all keys of a text."""
    first, stop = queries
    return vectors_HRK[:, longest - stop : longest - first + length - 1]


def in_place(products_GLW: Tensor, keys: int) -> Tensor:
    """Products by distance as scores, (…, queries, keys), or with the sides exchanged: the same memory."""
    groups, queries, width = products_GLW.shape
    strides = (queries * width, width - 1, 1)
    return products_GLW.as_strided((groups, queries, keys), strides, products_GLW.storage_offset() + queries - 1)


def _by_distance(content_HNLK: Tensor, vectors_HWK: Tensor) -> Tensor:
    heads, texts, length, _ = content_HNLK.shape
    products_HTW = torch.bmm(content_HNLK.reshape(heads, texts * length, -1), vectors_HWK.transpose(1, 2))
    return in_place(products_HTW.view(heads * texts, length, -1), length).view(heads, texts, length, length)
