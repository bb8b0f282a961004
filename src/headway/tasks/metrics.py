"""How good answers are: the measures of classification, from counts.

Shapes: N texts, L labels; a confusion matrix LL has the references as its rows and the answers as its columns.
"""

import math

import numpy as np

CALIBRATION_BINS = 15  # as in Guo et al., 2017


def confusion_matrix(targets_N: np.ndarray, predicted_N: np.ndarray, *, labels: int) -> np.ndarray:
    """How often which label, in the rows, got which answer, (labels, labels)."""
    places = np.asarray(targets_N, dtype=np.int64) * labels + np.asarray(predicted_N, dtype=np.int64)
    return np.bincount(places, minlength=labels * labels).reshape(labels, labels)


def accuracy(counts_LL: np.ndarray) -> float:
    """The share of right answers; 0 where there is nothing to measure."""
    return ratio(np.trace(counts_LL), counts_LL.sum())


def label_scores(counts_LL: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of each label, (labels,) each; 0 where there is nothing to divide by."""
    right_L, answers_L, references_L = np.diag(counts_LL), counts_LL.sum(0), counts_LL.sum(1)
    return (
        shares(right_L, answers_L),
        shares(right_L, references_L),
        shares(2 * right_L, answers_L + references_L),
    )


def macro_f1(counts_LL: np.ndarray) -> float:
    """The average F1 of the labels that occur among references or answers."""
    f1_L = label_scores(counts_LL)[2][occurring(counts_LL)]
    return float(f1_L.mean()) if len(f1_L) else 0.0


def weighted_f1(counts_LL: np.ndarray) -> float:
    """The average F1 of the labels, each counting as many times as it is a reference."""
    support_L = counts_LL.sum(1)
    return ratio(label_scores(counts_LL)[2] @ support_L, support_L.sum())


def occurring(counts_LL: np.ndarray) -> np.ndarray:
    """The places of the labels that are a reference or an answer somewhere."""
    return np.flatnonzero(counts_LL.sum(0) + counts_LL.sum(1))


def matthews_correlation(counts_LL: np.ndarray) -> float:
    """The correlation between references and answers, from -1 to 1; 0 where either of them is always the same.

    Matthews, 1975, doi:10.1016/0005-2795(75)90109-9; for several labels Gorodkin, 2004,
    doi:10.1016/j.compbiolchem.2004.09.006.
    """
    counts_LL = counts_LL.astype(np.float64)
    total, right = counts_LL.sum(), np.trace(counts_LL)
    references_L, answers_L = counts_LL.sum(1), counts_LL.sum(0)
    together = right * total - references_L @ answers_L
    apart = (total**2 - references_L @ references_L) * (total**2 - answers_L @ answers_L)
    return float(np.clip(together / math.sqrt(apart), -1, 1)) if apart > 0 else 0.0


def calibration_error(confidence_N: np.ndarray, right_N: np.ndarray, *, bins: int = CALIBRATION_BINS) -> float:
    """How far confidence and accuracy lie apart, averaged over bins of confidence of equal width: (0, 1/bins], and so on.

    Expected calibration error, Guo et al., 2017, arXiv:1706.04599, section 2; ``confidence`` is the score of the answer.
    """
    if not len(confidence_N):
        return 0.0
    bin_N = np.clip(np.ceil(np.asarray(confidence_N) * bins).astype(np.int64) - 1, 0, bins - 1)
    gap_B = np.bincount(bin_N, weights=np.asarray(confidence_N) - right_N, minlength=bins)
    return float(np.abs(gap_B).sum() / len(confidence_N))


def ratio(part: float, whole: float) -> float:
    """One number by another; 0 where there is nothing to divide by."""
    return float(part / whole) if whole else 0.0


def shares(part_L: np.ndarray, whole_L: np.ndarray) -> np.ndarray:
    """``ratio`` for each place."""
    return np.asarray(np.divide(part_L, whole_L, out=np.zeros(len(part_L)), where=np.asarray(whole_L) != 0))
