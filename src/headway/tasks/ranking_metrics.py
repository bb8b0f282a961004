"""How good an order of documents is, from their relevances in that order: 0 for none, larger for more."""

from collections.abc import Sequence

import numpy as np


def discounted_gain(relevances: Sequence[float], *, at: int = 10) -> float:
    """The relevances of the first documents, each divided by the logarithm to base 2 of its rank plus 1.

    Järvelin and Kekäläinen, 2002, doi:10.1145/582415.582418, section 2.2, with the discount in use today.
    """
    first = np.asarray(relevances[:at], dtype=np.float64)
    return float((first / np.log2(np.arange(2, len(first) + 2))).sum())


def ndcg(relevances: Sequence[float], *, at: int = 10) -> float:
    """The discounted gain as a share of that of the best order; 0 where nothing is relevant."""
    best = discounted_gain(sorted(relevances, reverse=True), at=at)
    return discounted_gain(relevances, at=at) / best if best else 0.0


def first_relevant(relevances: Sequence[float]) -> int:
    """The rank of the first relevant document, from 1 on; 0 where there is none."""
    return next((rank for rank, relevance in enumerate(relevances, 1) if relevance > 0), 0)


def reciprocal_rank(relevances: Sequence[float], *, at: int = 10) -> float:
    """1 divided by the rank of the first relevant document; 0 where none is among the first.

    Voorhees, 1999, The TREC-8 question answering track report.
    """
    rank = first_relevant(relevances)
    return 1 / rank if 0 < rank <= at else 0.0


def average_precision(relevances: Sequence[float]) -> float:
    """The share of relevant documents up to each relevant one, averaged over those; 0 where nothing is relevant."""
    found = np.asarray(relevances) > 0
    ranks = np.flatnonzero(found) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean()) if len(ranks) else 0.0
