"""Graphs in fp32 and INT8: valid, complete, checked against NumPy, and in INT8 small and independent of the batch."""

import dataclasses

import numpy as np
import onnx
import pytest

from headway.architecture import weight_shapes
from headway.core.batching import TokenSequence
from headway.core.padding import padded
from headway.errors import ConfigError, EngineError, WeightError
from headway.families import family
from headway.graph import GRAPH_VERSION, Session, build_graph
from headway.graph.parity import answers_of
from headway.graph.quantised import Range, quantise_rows
from headway.graph.reference import Reference

HEADS = tuple(family("bert").class_names)
LENGTHS = (41, 1, 13, 7, 2, 23)


def texts(seed=0):
    generator = np.random.default_rng(seed)
    return [
        TokenSequence(generator.integers(1, 101, length).tolist(), generator.integers(0, 2, length).tolist())
        for length in LENGTHS
    ]


@pytest.fixture(scope="module")
def made(tiny_config, random_weights):
    """For each head and precision the architecture, the weights and the graph."""
    found = {}

    def make(head, precision="fp32"):
        if (head, precision) not in found:
            config = tiny_config.replace(num_labels=2) if head == "question-answering" else tiny_config
            architecture = family("bert").architecture(config, head)
            weights = random_weights(weight_shapes(architecture))
            graph = build_graph(architecture, weights, precision=precision, calibration=texts(seed=1))
            found[head, precision] = architecture, weights, graph
        return found[head, precision]

    return make


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("head", HEADS)
def test_graphs_are_valid_and_both_dimensions_vary(made, head, precision):
    graph = made(head, precision)[2]
    onnx.checker.check_model(graph, full_check=precision == "fp32")
    assert [value.name for value in graph.graph.input] == ["input_ids", "attention_mask", "token_type_ids"]
    for value in graph.graph.input:
        assert [size.dim_param for size in value.type.tensor_type.shape.dim] == ["batch", "sequence"]


@pytest.mark.parametrize("head", HEADS)
def test_fp32_equals_numpy(made, head):
    architecture, weights, graph = made(head)
    reference = Reference(architecture, weights)
    for text, found in zip(texts(), answers_of(graph.SerializeToString(), texts()), strict=True):
        exact = reference.run(text)
        assert exact.keys() == found.keys()
        for name, values in found.items():
            assert values.shape == exact[name].shape
            assert np.abs(values - exact[name]).max() < 1e-5 * np.abs(exact[name]).max()


@pytest.mark.parametrize("head", HEADS)
def test_int8_is_near_fp32_and_the_same_in_any_company(made, head):
    rounded, exact = made(head, "int8")[2].SerializeToString(), made(head)[2].SerializeToString()
    together, near = answers_of(rounded, texts()), answers_of(exact, texts())
    for text, in_batch in zip(texts(), together, strict=True):
        (alone,) = answers_of(rounded, [text])
        for name, values in in_batch.items():
            np.testing.assert_allclose(values, alone[name], rtol=0, atol=1e-5 * np.abs(values).max())
    for name in together[0]:
        found, expected = (np.concatenate([answer[name].ravel() for answer in answers]) for answers in (together, near))
        assert np.corrcoef(found, expected)[0, 1] > 0.98


def test_int8_keeps_a_quarter_of_the_weights_bytes(tiny_config, random_weights):
    config = tiny_config.replace(vocab_size=997, hidden_size=64, intermediate_size=257)
    architecture = family("bert").architecture(config, "masked-lm")
    weights = random_weights(weight_shapes(architecture))
    sizes = {
        precision: sum(
            len(tensor.raw_data) for tensor in build_graph(architecture, weights, precision=precision).graph.initializer
        )
        for precision in ("fp32", "int8")
    }
    assert sizes["int8"] < 0.29 * sizes["fp32"]


def test_a_masked_language_model_holds_its_token_table_once(made):
    for precision in ("fp32", "int8"):
        graph = made("masked-lm", precision)[2].graph
        assert [tensor.name for tensor in graph.initializer if 101 in tensor.dims and 28 in tensor.dims] == [
            "embeddings.token.weight"
        ]


def test_the_base_model_without_a_pooler_has_states_alone(made):
    architecture, weights, _ = made("base")
    bare = {name: array for name, array in weights.items() if not name.startswith("pooler")}
    graph = build_graph(dataclasses.replace(architecture, pooler=None), bare)
    assert [output.name for output in graph.graph.output] == ["last_hidden_state"]


def test_only_the_first_token_passes_the_last_layer_of_a_classifier(made):
    """The answer reads it alone; its feed-forward of the others would be work for nothing."""
    nodes = {node.output[0]: node for node in made("sequence-classification")[2].graph.node}
    products = [node for node in nodes.values() if node.op_type == "MatMul" and node.input[1].startswith("layers.2.")]
    assert nodes[products[0].input[0]].op_type == "Slice"  # queries
    assert nodes[products[1].input[0]].op_type == "LayerNormalization"  # keys


def test_a_graph_says_what_it_is(made):
    architecture, weights, _ = made("base")
    graph = build_graph(architecture, weights, metadata={"headway.tokenizer": "abc"})
    notes = {entry.key: entry.value for entry in graph.metadata_props}
    assert notes.keys() == {"headway.version", "headway.precision", "headway.tokenizer"}
    assert notes["headway.precision"] == "fp32"
    assert isinstance(GRAPH_VERSION, int)


def test_building_twice_gives_the_same_bytes(made):
    architecture, weights, graph = made("base", "int8")
    again = build_graph(architecture, weights, precision="int8", calibration=texts(seed=1))
    assert again.SerializeToString(deterministic=True) == graph.SerializeToString(deterministic=True)


def test_a_missing_or_misshapen_weight_is_named(made):
    architecture, weights, _ = made("base")
    with pytest.raises(
        WeightError, match=r"^layers\.1\.feed_forward\.up\.bias is missing, .*needs it with the shape \(37,\)\. Load"
    ):
        build_graph(architecture, {name: array for name, array in weights.items() if name != "layers.1.feed_forward.up.bias"})
    with pytest.raises(WeightError, match=r"^pooler\.dense\.weight has the shape \(28, 3\), .*\(28, 28\)"):
        build_graph(architecture, {**weights, "pooler.dense.weight": np.ones((28, 3), np.float32)})


def test_weights_that_no_onnx_file_holds_are_refused(tiny_config):
    architecture = family("bert").architecture(tiny_config.replace(vocab_size=20_000_000), "base")
    weights = {name: np.broadcast_to(np.float32(1), shape) for name, shape in weight_shapes(architecture).items()}
    with pytest.raises(EngineError, match=r"2\.2 GB in fp32, more than the 2 GB .* engine='torch'"):
        build_graph(architecture, weights)


def test_an_unknown_precision_is_refused(made):
    architecture, weights, _ = made("base")
    with pytest.raises(ConfigError, match="precision is 'int4', but a graph is written in fp32 or int8"):
        build_graph(architecture, weights, precision="int4")


def test_a_reduced_range_keeps_weights_to_seven_bits(made):
    architecture, weights, _ = made("sequence-classification")
    graph = build_graph(architecture, weights, precision="int8", reduce_range=True)
    integers = [
        onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer if tensor.data_type == onnx.TensorProto.INT8
    ]
    assert max(np.abs(values.astype(int)).max() for values in integers) == 63


def test_rows_are_rounded_to_the_nearest_of_255_steps():
    matrix = np.array([[1.27, -0.634, 0.005], [0, 0, 0], [-2.54, 0.02, 0.0]], np.float32)
    integers, scales = quantise_rows(matrix)
    assert integers.tolist() == [[127, -63, 0], [0, 0, 0], [-127, 1, 0]]
    np.testing.assert_allclose(scales[[0, 2]], [0.01, 0.02], rtol=1e-6)


def test_a_range_holds_zero_exactly():
    span = Range(-1.0, 4.1)
    assert float(span.scale) == pytest.approx(0.02)
    assert int(span.zero_point) == 50
    assert int(Range(0.0, 0.0).zero_point) == 0


def test_padding_of_any_id_changes_nothing(made):
    session = Session(made("sequence-classification", "int8")[2].SerializeToString(), threads=1)
    inputs = padded(texts())
    answers = session.run(**inputs)["logits"]
    inputs["input_ids"][inputs["attention_mask"] == 0] = 97
    np.testing.assert_array_equal(session.run(**inputs)["logits"], answers)
