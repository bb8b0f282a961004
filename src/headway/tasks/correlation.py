"""How well numbers agree with references: the correlations of Pearson and Spearman, from arrays."""

import numpy as np


def pearson(values_N: np.ndarray, references_N: np.ndarray) -> float:
    """How nearly the values are a straight line of the references, from -1 to 1; 0 where either of them never changes."""
    first, second = _centred(values_N), _centred(references_N)
    if first is None or second is None:
        return 0.0
    return float(np.clip(first @ second, -1, 1))


def spearman(values_N: np.ndarray, references_N: np.ndarray) -> float:
    """How nearly the values stand in the order of the references, from -1 to 1; 0 where either of them never changes.

    Pearson's correlation of the ranks. Spearman, 1904, doi:10.2307/1412159.
    """
    return pearson(ranks(values_N), ranks(references_N))


def ranks(values_N: np.ndarray) -> np.ndarray:
    """The place of each value when they are sorted, from 1 on; equal values share the average of their places."""
    _, groups_N, counts = np.unique(np.asarray(values_N), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[groups_N.reshape(-1)], dtype=np.float64)


def _centred(values_N: np.ndarray) -> np.ndarray | None:
    """The values around an average of 0, as a vector of length 1; None where all are equal, or there are none."""
    values = np.asarray(values_N, dtype=np.float64)
    if not len(values) or (values == values[0]).all():
        return None
    values = values - values.mean()
    values /= np.abs(values).max()  # so that squares neither vanish nor overflow
    return np.asarray(values / np.linalg.norm(values))
