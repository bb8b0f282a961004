"""What an ONNX file says of itself, read without loading it."""

import onnx
import pytest
from onnx import TensorProto, helper

from headway.graph.origin import is_ours, notes


@pytest.fixture
def model(tmp_path):
    """An ONNX file with so much in front of its notes that lengths take several bytes."""
    constant = helper.make_tensor("weight", TensorProto.FLOAT, [1009], bytes(4 * 1009), raw=True)
    graph = helper.make_graph([], "graph", [], [], [constant])
    made = helper.make_model(graph, producer_name="headway", doc_string="é" * 300, model_version=2**40)
    helper.set_model_props(made, {"headway.head": "base", "headway.config": "ü" * 200, "empty": ""})
    onnx.save(made, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_notes_are_those_that_onnx_reads(model):
    assert notes(model) == {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    assert len(notes(model)) == 3


def test_a_file_cut_anywhere_has_fewer_notes_and_no_others(model, tmp_path):
    content, whole = model.read_bytes(), notes(model)
    cut = tmp_path / "cut.onnx"
    for length in [*range(0, 700, 7), *range(len(content) - 500, len(content))]:
        cut.write_bytes(content[:length])
        assert notes(cut).items() <= whole.items()


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 50, b"\x72\xff\xff\xff\xff\x7f", b"\x72\x03\x0a\x05ab", b"no ONNX at all", b"\x0b"]
)
def test_what_is_no_onnx_has_no_notes(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert notes(path) == {}
    assert not is_ours(path)


def test_ours_are_those_that_name_us(model, tmp_path):
    assert is_ours(model)
    assert not is_ours(tmp_path / "absent.onnx")
