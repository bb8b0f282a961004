import numpy as np

from headway.tasks.numbers import sigmoid, softmax


def test_softmax_shares_add_up_even_for_huge_logits():
    shares = softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]], np.float32))
    np.testing.assert_allclose(shares, [[0.5, 0.5], [0, 1]])


def test_sigmoid_neither_overflows_nor_underflows():
    np.testing.assert_allclose(sigmoid(np.array([-1000.0, 0.0, 1000.0, np.log(3)])), [0, 0.5, 1, 0.75])
