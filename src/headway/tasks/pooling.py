"""One vector a text from one vector a token. Every token given is real: padding never leaves the engine.

Shapes: S sequence, D hidden.
"""

from collections.abc import Callable, Mapping

import numpy as np


def mean(states_SD: np.ndarray) -> np.ndarray:
    """The average of the tokens. Reimers and Gurevych, 2019, arXiv:1908.10084, section 3."""
    return np.asarray(states_SD.mean(0))


def first(states_SD: np.ndarray) -> np.ndarray:
    """The first token, ``[CLS]`` in BERT."""
    return np.asarray(states_SD[0])


def last(states_SD: np.ndarray) -> np.ndarray:
    """The last token."""
    return np.asarray(states_SD[-1])


def largest(states_SD: np.ndarray) -> np.ndarray:
    """The largest value of each dimension."""
    return np.asarray(states_SD.max(0))


def mean_by_root(states_SD: np.ndarray) -> np.ndarray:
    """The sum of the tokens divided by the square root of their number."""
    return np.asarray(states_SD.sum(0) / np.sqrt(np.float32(len(states_SD))))


def weighted_mean(states_SD: np.ndarray) -> np.ndarray:
    """The average in which the n-th token counts n times. Muennighoff, 2022, arXiv:2202.08904, section 3.1."""
    weights_S1 = np.arange(1, len(states_SD) + 1, dtype=states_SD.dtype)[:, None]
    return np.asarray((states_SD * weights_S1).sum(0) / weights_S1.sum())


POOLINGS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": mean,
    "cls": first,
    "max": largest,
    "mean_sqrt_len_tokens": mean_by_root,
    "weightedmean": weighted_mean,
    "lasttoken": last,
}
"""Poolings by the names that sentence-transformers gives them."""


def pool(states_SD: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """The poolings of these names, one after the other in one vector."""
    return np.concatenate([POOLINGS[name](states_SD) for name in names])


def to_unit_length(vector: np.ndarray) -> np.ndarray:
    """The vector divided by its length; a vector of zeros stays so."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))
