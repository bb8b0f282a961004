"""One vector a text from one vector a token. Every token given is real: padding never leaves the engine.

The first ``skipped`` tokens may be left out, those of a prompt that is no part of the text. Where all are, there is nothing to
pool, and the vector is zero.

Shapes: S sequence, D hidden.
"""

from collections.abc import Callable, Mapping

import numpy as np


def mean(states_SD: np.ndarray, skipped: int = 0) -> np.ndarray:
    """The average of the tokens. Reimers and Gurevych, 2019, arXiv:1908.10084, section 3."""
    return np.asarray(states_SD[skipped:].mean(0))


def first(states_SD: np.ndarray, skipped: int = 0) -> np.ndarray:
    """The first token, ``[CLS]`` in BERT."""
    return np.asarray(states_SD[skipped])


def last(states_SD: np.ndarray, skipped: int = 0) -> np.ndarray:
    """The last token."""
    return np.asarray(states_SD[-1])


def largest(states_SD: np.ndarray, skipped: int = 0) -> np.ndarray:
    """The largest value of each dimension."""
    return np.asarray(states_SD[skipped:].max(0))


def mean_by_root(states_SD: np.ndarray, skipped: int = 0) -> np.ndarray:
    """The sum of the tokens divided by the square root of their number."""
    return np.asarray(states_SD[skipped:].sum(0) / np.sqrt(np.float32(len(states_SD) - skipped)))


def weighted_mean(states_SD: np.ndarray, skipped: int = 0) -> np.ndarray:
    """The average in which the n-th token of the sequence counts n times. Muennighoff, 2022, arXiv:2202.08904, section 3.1."""
    weights_S1 = np.arange(skipped + 1, len(states_SD) + 1, dtype=states_SD.dtype)[:, None]
    return np.asarray((states_SD[skipped:] * weights_S1).sum(0) / weights_S1.sum())


POOLINGS: Mapping[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "mean": mean,
    "cls": first,
    "max": largest,
    "mean_sqrt_len_tokens": mean_by_root,
    "weightedmean": weighted_mean,
    "lasttoken": last,
}
"""Poolings by the names that sentence-transformers gives them."""


def pool(states_SD: np.ndarray, names: tuple[str, ...], *, skipped: int = 0) -> np.ndarray:
    """The poolings of these names, one after the other in one vector."""
    if skipped >= len(states_SD):
        return np.zeros(len(names) * states_SD.shape[1], dtype=states_SD.dtype)
    return np.concatenate([POOLINGS[name](states_SD, skipped) for name in names])


def to_unit_length(vector: np.ndarray) -> np.ndarray:
    """The vector divided by its length; a vector of zeros stays so."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))
