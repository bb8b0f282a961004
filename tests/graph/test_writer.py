"""The writer: what is asked for twice is computed once, and only operators of ONNX Runtime's own declare its domain."""

import numpy as np
import onnx
import pytest

from headway.graph.writer import GraphWriter


def model(writer, *outputs):
    return writer.model(inputs={"x": ("rows",)}, outputs=dict.fromkeys(outputs), metadata={})


def test_the_same_operator_on_the_same_values_is_written_once():
    writer = GraphWriter()
    first = writer.node("Cast", "x", to=onnx.TensorProto.FLOAT)
    assert writer.node("Cast", "x", to=onnx.TensorProto.FLOAT) == first
    assert writer.node("Cast", "x", to=onnx.TensorProto.DOUBLE) != first
    assert writer.node("Cast", first, to=onnx.TensorProto.FLOAT) != first
    assert writer.nodes("Split", first, count=2, num_outputs=2) == writer.nodes("Split", first, count=2, num_outputs=2)
    assert len(model(writer, first).graph.node) == 4


def test_an_output_of_the_graph_has_the_name_that_is_asked_for():
    writer = GraphWriter()
    value = writer.node("Cast", "x", to=onnx.TensorProto.FLOAT)
    assert writer.node("Cast", "x", output="y", to=onnx.TensorProto.FLOAT) == "y"
    assert [node.output[0] for node in model(writer, "y").graph.node] == [value, "y"]


@pytest.mark.parametrize(("operator", "domains"), [("RotaryEmbedding", ["", "com.microsoft"]), ("Cos", [""])])
def test_a_domain_is_declared_where_it_is_used(operator, domains):
    writer = GraphWriter()
    assert [opset.domain for opset in model(writer, writer.node(operator, "x")).opset_import] == domains


def test_constants_keep_their_kind_and_shape():
    writer = GraphWriter()
    names = writer.integers(2, 3), writer.integer(2), writer.number(0.5)
    kept = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model(writer, "x").graph.initializer}
    assert [kept[name].tolist() for name in names] == [[2, 3], 2, 0.5]
    assert [kept[name].dtype for name in names] == [np.int64, np.int64, np.float32]
