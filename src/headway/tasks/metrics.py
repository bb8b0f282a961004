"""How good answers are."""

import numpy as np


def classification_metrics(logits_NL: np.ndarray, targets_N: np.ndarray) -> dict[str, float]:
    """Accuracy, and F1 averaged over the labels that occur among targets or predictions, each label counting the same.

    A label that was never predicted rightly has an F1 of 0. Nothing to measure is 0.
    """
    predicted_N = np.asarray(logits_NL).argmax(-1)
    targets_N = np.asarray(targets_N)
    if not len(targets_N):
        return {"accuracy": 0.0, "f1": 0.0}
    labels = np.union1d(predicted_N, targets_N)
    scores = [_f1(predicted_N == label, targets_N == label) for label in labels]
    return {"accuracy": float((predicted_N == targets_N).mean()), "f1": float(np.mean(scores))}


def _f1(predicted_N: np.ndarray, true_N: np.ndarray) -> float:
    """2 TP / (2 TP + FP + FN); the denominator is not 0 for a label that occurs."""
    return float(2 * (predicted_N & true_N).sum() / (predicted_N.sum() + true_N.sum()))
