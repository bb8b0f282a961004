"""Sums of 8-bit products: found out about, and exact in every session, whatever the processor."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from headway.architecture import weight_shapes
from headway.core.batching import TokenSequence
from headway.core.padding import padded
from headway.errors import CheckpointError
from headway.families import family
from headway.graph import Session, build_graph, clipping
from headway.graph.clipping import exact, is_clipped, sums_are_clipped
from headway.graph.names import PRODUCTS, UNSIGNED
from headway.graph.origin import notes
from headway.graph.unsigned import unsigned_graph
from headway.graph.writer import GraphWriter


def texts():
    generator = np.random.default_rng(3)
    return [TokenSequence(generator.integers(11, 101, length).tolist()) for length in (13, 1, 29, 5)]


@pytest.fixture(scope="module")
def built(tiny_config, random_weights):
    def build(precision="int8"):
        architecture = family("bert").architecture(tiny_config, "masked-lm")
        weights = random_weights(weight_shapes(architecture))
        return build_graph(architecture, weights, precision=precision, calibration=texts()).SerializeToString()

    return build


def plain_run(model, **inputs):
    """As ONNX Runtime alone computes it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {entry.name: inputs[entry.name] for entry in session.get_inputs()})[0]


@pytest.fixture
def clips(monkeypatch):
    def set_to(answer):
        monkeypatch.setattr(clipping, "sums_are_clipped", lambda: answer)

    return set_to


def test_the_question_that_is_asked_is_a_whole_model():
    model = onnx.load_from_string(clipping._largest_pair())
    onnx.checker.check_model(model)
    (weights,) = model.graph.initializer
    assert (onnx.numpy_helper.to_array(weights) == 127).all()


def test_the_answer_is_that_of_a_real_product():
    generator = np.random.default_rng(1)
    states, weights = generator.integers(0, 256, (37, 101), np.uint8), generator.integers(-127, 128, (101, 43), np.int8)
    writer = GraphWriter()
    step, zero = writer.constant("step", np.ones((), np.float32)), writer.constant("zero", np.uint8(0))
    rounded = writer.node("QuantizeLinear", writer.node("Cast", "input_ids", to=TensorProto.FLOAT), step, zero)
    scales = writer.constant("scales", np.ones(43, np.float32))
    writer.node("MatMulIntegerToFloat", rounded, writer.constant("w", weights), step, scales, zero, output="logits")
    model = writer.model(inputs={"input_ids": ("rows", 101)}, outputs={"logits": ("rows", 43)}, metadata={})
    found = plain_run(model.SerializeToString(), input_ids=states.astype(np.int64))
    assert np.array_equal(found, states.astype(int) @ weights.astype(int)) is not sums_are_clipped()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("answer", [False, True])
def test_only_graphs_in_int8_are_clipped_and_only_where_sums_are(built, clips, tmp_path, precision, answer):
    clips(answer)
    model, path = built(precision), tmp_path / "model.onnx"
    path.write_bytes(model)
    assert is_clipped(model) is is_clipped(path) is (answer and precision == "int8")
    if not is_clipped(path):
        assert exact(path) is path


def test_a_clipped_graph_is_rewritten_once(built, clips):
    clips(True)
    rewritten = exact(built())
    assert notes(rewritten)[PRODUCTS] == UNSIGNED
    assert exact(rewritten) is rewritten
    kinds = [
        tensor.data_type for tensor in onnx.load_from_string(rewritten).graph.initializer if tensor.name.endswith("unsigned")
    ]
    assert set(kinds) == {TensorProto.UINT8}


def test_sessions_give_the_same_answers_whether_sums_are_clipped_or_not(built, clips):
    model, inputs = built(), padded(texts())
    clips(True)
    np.testing.assert_array_equal(Session(model, threads=1).run(**inputs)["logits"], plain_run(unsigned_graph(model), **inputs))
    if sums_are_clipped():
        assert not np.allclose(plain_run(model, **inputs), plain_run(unsigned_graph(model), **inputs), atol=1e-2)
    else:
        np.testing.assert_allclose(plain_run(model, **inputs), plain_run(unsigned_graph(model), **inputs), rtol=1e-5, atol=1e-5)


def test_what_a_graph_leaves_to_others_is_moved_up_too(built):
    model = onnx.load_from_string(built())
    name = "embeddings.token.weight"
    (table,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    values = onnx.numpy_helper.to_array(table)
    table.ClearField("raw_data")
    moved = onnx.load_from_string(unsigned_graph(model.SerializeToString(), shared={name: values}))
    (found,) = [tensor for tensor in moved.graph.initializer if tensor.name == f"{name}.unsigned"]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(found), (values.astype(int) + 128).astype(np.uint8))


def test_a_damaged_graph_is_named(tmp_path):
    path = tmp_path / "model_int8.onnx"
    path.write_bytes(b"\x08\x0a\xff")
    with pytest.raises(
        CheckpointError, match=r"model_int8\.onnx could not be loaded as an ONNX model \(.+ Export or download it again"
    ):
        unsigned_graph(path)
