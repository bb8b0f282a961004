"""How alike one vector and several others are, by the names that sentence-transformers gives the measures.

More is more alike: distances are negative. Shapes: N others, D dimensions.
"""

from collections.abc import Callable, Mapping

import numpy as np

from headway.tasks.pooling import to_unit_length


def cosine(vector_D: np.ndarray, others_ND: np.ndarray) -> np.ndarray:
    """The cosine of the angle between them, from -1 to 1; 0 for a vector without direction."""
    units_ND = np.stack([to_unit_length(other_D) for other_D in others_ND])
    return np.asarray(np.clip(units_ND @ to_unit_length(vector_D), -1, 1))


def dot(vector_D: np.ndarray, others_ND: np.ndarray) -> np.ndarray:
    """The scalar product."""
    return np.asarray(others_ND @ vector_D)


def euclidean(vector_D: np.ndarray, others_ND: np.ndarray) -> np.ndarray:
    """The distance in a straight line, below zero."""
    return np.asarray(-np.linalg.norm(others_ND - vector_D, axis=1))


def manhattan(vector_D: np.ndarray, others_ND: np.ndarray) -> np.ndarray:
    """The sum of the distances in each dimension, below zero."""
    return np.asarray(-np.abs(others_ND - vector_D).sum(1))


SIMILARITIES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cosine": cosine,
    "dot": dot,
    "euclidean": euclidean,
    "manhattan": manhattan,
}
