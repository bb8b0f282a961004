import numpy as np
import pytest

from headway.tasks.metrics import classification_metrics
from headway.tasks.numbers import sigmoid, softmax


def test_softmax_shares_add_up_even_for_huge_logits():
    shares = softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]], np.float32))
    np.testing.assert_allclose(shares, [[0.5, 0.5], [0, 1]])


def test_sigmoid_neither_overflows_nor_underflows():
    np.testing.assert_allclose(sigmoid(np.array([-1000.0, 0.0, 1000.0, np.log(3)])), [0, 0.5, 1, 0.75])


def test_metrics_by_hand():
    logits = np.eye(3)[[0, 0, 1, 2]]  # predicted 0 0 1 2
    metrics = classification_metrics(logits, np.array([0, 1, 1, 1]))
    assert metrics["accuracy"] == pytest.approx(2 / 4)
    assert metrics["f1"] == pytest.approx((2 / 3 + 2 / 4 + 0) / 3)


def test_metrics_of_nothing_are_zero():
    assert classification_metrics(np.zeros((0, 3)), np.zeros(0, int)) == {"accuracy": 0.0, "f1": 0.0}
