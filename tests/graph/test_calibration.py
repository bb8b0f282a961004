"""Calibration: what 8-bit integers have to span, measured on texts."""

import numpy as np
import pytest

from headway.architecture import weight_shapes
from headway.core.batching import TokenSequence
from headway.families import family
from headway.graph.calibration import general_texts, measure_readings, random_sequences, reading


def test_a_loud_channel_is_divided_and_its_weights_multiplied():
    """One channel of four reaches 100 and the others 1: undivided, these would have a few steps of the 255 between them."""
    low, high = np.array([-1.0, -100.0, -1.0, -1.0]), np.array([1.0, 50.0, 0.5, 1.0])
    plain = reading(low, high, np.ones((3, 4)), smooth=False)
    smooth = reading(low, high, np.ones((3, 4)), smooth=True)
    assert plain.divisor is None
    assert (plain.range.low, plain.range.high) == (-100.0, 50.0)
    assert smooth.divisor[1] / smooth.divisor[0] == pytest.approx(100**0.7)
    assert np.prod(smooth.divisor) == pytest.approx(1)
    assert smooth.range.low == pytest.approx(-100 / smooth.divisor[1])


def test_a_channel_that_was_silent_is_not_blown_up():
    span = reading(np.zeros(4), np.array([1.0, 1.0, 0.0, 1.0]), np.ones((3, 4)), smooth=True)
    assert span.divisor[0] / span.divisor[2] == pytest.approx(10**0.7)


def test_ranges_come_from_all_texts_and_never_from_padding(tiny_config, random_weights):
    architecture = family("bert").architecture(tiny_config, "masked-lm")
    weights = random_weights(weight_shapes(architecture))
    one, two = TokenSequence([7, 11, 13]), TokenSequence(list(range(40)))
    apart = [measure_readings(architecture, weights, sequences=[text]) for text in (one, two)]
    both = measure_readings(architecture, weights, sequences=[one, two])
    assert both.keys() == {
        *(
            f"layers.{i}.{part}"
            for i in range(3)
            for part in ("attention.qkv", "attention.out", "feed_forward.up", "feed_forward.down")
        ),
        "head.dense",
        "embeddings.token",
    }
    for name, found in both.items():
        if found.divisor is None:
            assert found.range.low == pytest.approx(min(each[name].range.low for each in apart), rel=1e-4)
            assert found.range.high == pytest.approx(max(each[name].range.high for each in apart), rel=1e-4)


def test_random_texts_are_the_same_each_time_and_fit_the_model(tiny_config):
    architecture = family("bert").architecture(tiny_config, "base")
    texts = random_sequences(architecture)
    assert texts == random_sequences(architecture)
    assert min(map(len, texts)) >= 1
    assert max(map(len, texts)) <= tiny_config.max_position_embeddings
    assert max(max(text.ids) for text in texts) == tiny_config.vocab_size - 1


def test_the_sentences_that_come_along_are_many_and_different():
    assert len(general_texts()) > 100
    assert len(set(general_texts())) == len(general_texts())
    assert max(map(len, general_texts())) > 10 * min(map(len, general_texts()))
