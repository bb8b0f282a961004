"""Parts that BERT does not have, on architectures made by hand, against the NumPy reference; no torch is needed."""

import dataclasses

import numpy as np
import onnx
import pytest

from headway.architecture import Disentangled, Positions, SequenceClassificationHead, weight_shapes
from headway.core.batching import TokenSequence
from headway.errors import EngineError
from headway.families import family
from headway.graph import build_graph
from headway.graph.calibration import measure_readings
from headway.graph.folding import folded
from headway.graph.parity import answers_of
from headway.graph.reference import Reference
from headway.graph.relative import reach_of


@pytest.fixture(scope="module")
def bert(tiny_config):
    return family("bert").architecture(tiny_config, "base")


def with_encoder(architecture, **changes):
    return dataclasses.replace(architecture, encoder=dataclasses.replace(architecture.encoder, **changes))


def with_attention(architecture, **changes):
    layers = tuple(
        dataclasses.replace(layer, attention=dataclasses.replace(layer.attention, **changes))
        for layer in architecture.encoder.layers
    )
    return with_encoder(architecture, layers=layers)


def disentangled(architecture, **changes):
    table = Disentangled(
        span=5,
        max_distance=17,
        terms=("content-to-position", "position-to-content"),
        shared=True,
        key_bias=True,
        norm=architecture.encoder.embeddings.norm,
        dropout=0.0,
    )
    found = with_attention(architecture, positions=dataclasses.replace(table, **changes))
    return with_encoder(found, embeddings=dataclasses.replace(found.encoder.embeddings, positions=None))


def text(length, seed=0):
    generator = np.random.default_rng(seed)
    return TokenSequence(generator.integers(0, 101, length).tolist(), generator.integers(0, 2, length).tolist())


def assert_equals_reference(architecture, weights, texts):
    model = build_graph(architecture, weights).SerializeToString()
    reference = Reference(architecture, weights)
    for given, found in zip(texts, answers_of(model, texts), strict=True):
        for name, exact in reference.run(given).items():
            assert np.abs(found[name] - exact).max() < 1e-5 * np.abs(exact).max()


@pytest.mark.parametrize("length", [1, 2, 211])
@pytest.mark.parametrize("span", [4, 5], ids=["even span", "odd span, whose rows go on growing"])
def test_distances_of_any_size_have_their_rows(bert, random_weights, span, length):
    architecture = disentangled(bert, span=span)
    assert reach_of(architecture.encoder.table) >= 17
    assert_equals_reference(architecture, random_weights(weight_shapes(architecture)), [text(length)])


def test_the_first_tokens_scores_are_those_of_the_whole(bert, random_weights):
    """A classifier asks for the first token alone, which takes another way through the relative positions."""
    for terms in (("content-to-position",), ("position-to-content",)):
        architecture = dataclasses.replace(
            disentangled(bert, terms=terms), head=SequenceClassificationHead(num_labels=3, dropout=0.0)
        )
        assert_equals_reference(architecture, random_weights(weight_shapes(architecture)), [text(n, seed=n) for n in (29, 1, 7)])


def test_vectors_of_relative_positions_are_kept_in_8_bits(bert, random_weights):
    architecture = disentangled(bert)
    graph = build_graph(architecture, random_weights(weight_shapes(architecture)), precision="int8").graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer if "position_" in tensor.name}
    tables = {f"layers.{i}.attention.position_{which}.weight" for i in range(3) for which in ("keys", "queries")}
    assert {name for name, kind in kinds.items() if kind == onnx.TensorProto.INT8} == tables


def test_keys_without_a_bias_have_none_in_the_graph(bert, random_weights):
    architecture = with_attention(bert, bias="query-value")
    weights = random_weights(weight_shapes(architecture))
    names = {tensor.name for tensor in build_graph(architecture, weights).graph.initializer}
    assert {name for name in names if name.startswith("layers.0.attention.qkv") and name.endswith("bias")} == {
        "layers.0.attention.qkv.0-28.bias",
        "layers.0.attention.qkv.56-84.bias",
    }
    assert_equals_reference(architecture, weights, [text(7)])


def test_layers_that_are_gone_through_twice_are_held_once_and_read_both_times(bert, random_weights):
    shared = with_encoder(bert, layers=bert.encoder.layers[:2], order=(0, 1, 1, 0))
    weights = random_weights(weight_shapes(shared))
    assert_equals_reference(shared, weights, [text(13), text(2)])
    plain = with_encoder(shared, order=None)
    sizes = [len(build_graph(architecture, weights).SerializeToString()) for architecture in (plain, shared)]
    assert sizes[1] < 1.5 * sizes[0]
    both = measure_readings(shared, weights, sequences=[text(41)])["layers.0.attention.out"].range
    once = measure_readings(plain, weights, sequences=[text(41)])["layers.0.attention.out"].range
    assert (both.low, both.high) != (once.low, once.high)
    assert both.low <= once.low + 1e-6
    assert both.high >= once.high - 1e-6


def test_positions_that_count_tokens_leave_out_padding_ids(bert, random_weights):
    parts = dataclasses.replace(bert.encoder.embeddings, positions=Positions(count=41, padding_id=3))
    architecture = with_encoder(bert, embeddings=parts, max_tokens=37)
    weights = random_weights(weight_shapes(architecture))
    assert_equals_reference(architecture, weights, [TokenSequence([7, 3, 11, 3, 5]), text(37)])
    with pytest.raises(EngineError, match="texts are cut to the length that it was built for"):
        answers_of(build_graph(architecture, weights).SerializeToString(), [TokenSequence([7] * 38)])


def test_folding_changes_nothing_that_is_there_already(bert, random_weights):
    architecture = disentangled(bert)
    weights = random_weights(weight_shapes(architecture))
    once = folded(architecture, weights)
    assert all(once[name] is array for name, array in weights.items())
    again = folded(architecture, once)
    assert again.keys() == once.keys()
    for name, values in once.items():
        np.testing.assert_array_equal(values, again[name])
