"""Tensors come back from bytes and from JSON as they were."""

import json
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import InputError
from headway.serving.dialects._tensors import KINDS, Tensor, described, output_tensors, read_tensor
from headway.tasks import Column
from headway.tasks.table import LABEL

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=3)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@st.composite
def tensors(draw):
    shape = tuple(draw(SHAPES))
    kind = draw(st.sampled_from(["BYTES", "INT64", "UINT8", "FP32", "BOOL"]))
    value = {
        "BYTES": TEXTS,
        "INT64": st.integers(-(2**63), 2**63 - 1),
        "UINT8": st.integers(0, 255),
        "FP32": st.floats(width=32, allow_nan=False),
        "BOOL": st.booleans(),
    }[kind]
    return Tensor("x", kind, shape, draw(st.lists(value, min_size=prod(shape), max_size=prod(shape))))


@given(tensor=tensors(), rest=st.binary(max_size=3))
def test_bytes_hold_a_tensor(tensor, rest):
    about, data = tensor.as_binary()
    read, left = read_tensor(json.loads(json.dumps(about)), data + rest)
    assert (read, left) == (tensor, rest)


@given(tensor=tensors())
def test_json_holds_a_tensor_flat_or_nested(tensor):
    flat = json.loads(json.dumps(tensor.as_json()))
    assert read_tensor(flat, b"") == (tensor, b"")
    assert read_tensor({**flat, "data": tensor.nested()}, b"") == (tensor, b"")
    if prod(tensor.shape):
        assert np.array(tensor.nested(), dtype=object).shape == tensor.shape


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_number_has_its_size(kind):
    _, data = Tensor("x", kind, (3,), [0, 1, 1]).as_binary()
    assert len(data) == 3 * np.dtype(KINDS[kind]).itemsize


def test_what_is_empty_in_a_table_is_nothing_in_a_tensor():
    columns = (Column("score", "number"), Column("word", "text"), Column("start", "integer"), Column("known", "truth"))
    rows = [dict.fromkeys(("score", "word", "start", "known"))]
    found = {tensor.name: (tensor.datatype, tensor.values) for tensor in output_tensors(columns, rows)}
    assert found == {"score": ("FP32", [0.0]), "word": ("BYTES", [""]), "start": ("INT64", [0]), "known": ("BOOL", [False])}


def test_no_answers_are_tensors_of_nothing():
    columns = (Column("labels", LABEL, depth=1), Column("vector", "number", depth=2))
    assert [(tensor.name, tensor.shape) for tensor in output_tensors(columns, [])] == [
        ("label", (0, 0)),
        ("score", (0, 0)),
        ("vector", (0, 0, 0)),
    ]
    assert [len(one["shape"]) for one in described(columns)] == [2, 2, 3]


def test_rows_of_different_lengths_are_no_tensor():
    with pytest.raises(InputError, match=r"The answers' vector have the lengths \[1, 2\], and a tensor has one for all"):
        output_tensors((Column("vector", "number", depth=1),), [{"vector": [1.0]}, {"vector": [1.0, 2.0]}])
