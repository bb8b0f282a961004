"""Every family and head as a graph: equal to transformers in fp32, alone as in company, by standard operators as by others."""

from functools import cache

import numpy as np
import onnx
import pytest

from headway.checkpoints import load_checkpoint
from headway.core.batching import TokenSequence
from headway.graph import Session, build_graph
from headway.graph.parity import answers_of, check_fp32, check_int8
from headway.graph.unsigned import unsigned_graph
from reference.family_cases import (
    CHOICES,
    COMBINATIONS,
    batch,
    masked,
    reference_outputs,
    relative_difference,
    saved_folder,
)

POOLED = ("sequence-classification", "multiple-choice", "next-sentence")
EVERY = pytest.mark.parametrize("combination", COMBINATIONS, ids=str)


@cache
def checkpoint(combination):
    return load_checkpoint(saved_folder(combination.case, combination.head), head=combination.head)


@cache
def graph(combination, *, precision="fp32", portable=False, reduce_range=False):
    found = checkpoint(combination)
    made = build_graph(found.architecture, found.weights, precision=precision, portable=portable, reduce_range=reduce_range)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


@cache
def given(combination):
    return batch(combination.case, combination.head)


@cache
def expected(combination):
    return reference_outputs(combination.case, combination.head, given(combination))


def run(model, arrays):
    """The outputs for rows of texts; a model that has token types gets zeros where the batch has none."""
    arrays = {"token_type_ids": np.zeros_like(arrays["input_ids"]), **arrays}
    return Session(model, threads=1).run(**arrays)


def sizes(entry):
    """The dimensions of an input or output: names for what varies."""
    return [size.dim_param or size.dim_value for size in entry.type.tensor_type.shape.dim]


def in_rows(arrays):
    """Multiple choice as our graphs read it: each choice is a text."""
    return {name: array.reshape(-1, array.shape[-1]) for name, array in arrays.items()}


def texts(combination):
    rows = in_rows(given(combination))
    lengths = rows["attention_mask"].sum(axis=1)
    types = rows.get("token_type_ids", np.zeros_like(rows["input_ids"]))
    return [
        TokenSequence(ids[:length].tolist(), kinds[:length].tolist())
        for ids, kinds, length in zip(rows["input_ids"], types, lengths, strict=True)
    ]


@EVERY
def test_inputs_are_those_that_the_model_reads_and_vary_in_both_dimensions(combination):
    made = onnx.load_from_string(graph(combination)).graph
    types = checkpoint(combination).architecture.encoder.embeddings.token_types
    assert [entry.name for entry in made.input] == ["input_ids", "attention_mask", *["token_type_ids"][: bool(types)]]
    assert all(sizes(entry) == ["batch", "sequence"] for entry in made.input)
    assert {entry.name for entry in made.output} == expected(combination).keys()
    for entry in made.output:
        of_tokens = expected(combination)[entry.name].shape[:2] == given(combination)["attention_mask"].shape
        assert sizes(entry)[:2] == ["batch", "sequence"] if of_tokens else sizes(entry)[0] == "batch"


@pytest.mark.parametrize("combination", [found for found in COMBINATIONS if found.head in POOLED], ids=str)
def test_only_the_first_token_passes_the_last_layer_where_nothing_else_is_read(combination):
    architecture = checkpoint(combination).architecture
    made = onnx.load_from_string(graph(combination))
    name = f"layers.{architecture.encoder.steps[-1]}.feed_forward.down.weight"
    *_, last = (node.output[0] for node in made.graph.node if node.op_type == "MatMul" and node.input[1] == name)
    made.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    found = run(made.SerializeToString(), in_rows(given(combination)))[last]
    assert (found.shape[1] == 1) == (architecture.pooler.pooling == "first")


@EVERY
def test_fp32_equals_transformers(combination):
    found = run(graph(combination), in_rows(given(combination)))
    if combination.head == "multiple-choice":
        found = {name: values.reshape(-1, CHOICES) for name, values in found.items()}
    assert found.keys() == expected(combination).keys()
    for name, theirs in expected(combination).items():
        assert found[name].dtype == np.float32
        ours = masked(name, found[name], given(combination)["attention_mask"])
        assert relative_difference(ours, theirs) < 1e-5  # asked for is 1e-4


@EVERY
def test_standard_operators_alone_give_the_same(combination):
    portable = graph(combination, portable=True)
    assert [opset.domain for opset in onnx.load_from_string(portable).opset_import] == [""]
    found = run(portable, given(combination))
    for name, theirs in expected(combination).items():
        ours = masked(name, found[name], given(combination)["attention_mask"])
        assert relative_difference(ours, theirs) < 1e-5


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("length", [256, 257, 383, 384, 385])  # the last without blocks, the first with them, around their edges
def test_windows_in_blocks_equal_transformers_at_every_edge(length, portable):
    """Of texts longer than 2 x 64 + 128 tokens the queries stand in blocks of 128; a long text makes blocks of short ones too."""
    combination = next(found for found in COMBINATIONS if found.case.name == "modernbert far away" and found.head == "base")
    arrays = batch(combination.case, combination.head, lengths=(length, 1, 129, 128, 65))
    found = run(graph(combination, portable=portable), arrays)
    for name, theirs in reference_outputs(combination.case, combination.head, arrays).items():
        assert relative_difference(masked(name, found[name], arrays["attention_mask"]), theirs) < 1e-5


def test_windows_in_blocks_cost_what_the_tokens_cost():
    """The largest array of a long text grows with its length, and not with the square; its layers are all windowed but two."""
    combination = next(found for found in COMBINATIONS if found.case.name == "modernbert far away" and found.head == "base")
    made = onnx.load_from_string(graph(combination))
    scores = {node.output[0]: 0 for node in made.graph.node if node.op_type == "Softmax"}
    made.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in scores)
    found = run(made.SerializeToString(), batch(combination.case, combination.head, lengths=(1009,)))
    assert sorted(found[name].shape for name in scores) == [(1, 5, 1009, 1009)] * 2 + [(8, 5, 128, 256)] * 3


@EVERY
def test_a_text_alone_equals_the_text_in_a_batch(combination):
    together = answers_of(graph(combination), texts(combination))
    for text, in_batch in zip(texts(combination), together, strict=True):
        (alone,) = answers_of(graph(combination), [text])
        for name, values in in_batch.items():
            largest = max(np.abs(answer[name]).max() for answer in together)
            np.testing.assert_allclose(values, alone[name], rtol=0, atol=1e-5 * largest)


@EVERY
def test_the_check_of_exports_agrees(combination):
    found = checkpoint(combination)
    assert check_fp32(graph(combination), found.architecture, found.weights, texts=texts(combination)) < 1e-5


@EVERY
def test_int8_is_near_fp32_in_both_forms(combination):
    for portable in (False, True):
        rounded = graph(combination, precision="int8", portable=portable)
        if portable:
            assert [opset.domain for opset in onnx.load_from_string(rounded).opset_import] == [""]
        assert check_int8(rounded, graph(combination), texts=texts(combination)) < 0.3


@EVERY
@pytest.mark.parametrize("portable", [False, True], ids=["own operators", "standard operators"])
def test_unsigned_weights_change_no_answer(combination, portable, monkeypatch):
    """With 7 bits no processor clips a sum, so the signed ones are right everywhere."""
    signed = graph(combination, precision="int8", portable=portable, reduce_range=True)
    unsigned = unsigned_graph(signed)
    assert not any(tensor.data_type == onnx.TensorProto.INT8 for tensor in weights_of_products(unsigned))
    onnx.checker.check_model(onnx.load_from_string(unsigned))
    monkeypatch.setattr("headway.graph.clipping.sums_are_clipped", lambda: False)
    for ours, exact in zip(answers_of(unsigned, texts(combination)), answers_of(signed, texts(combination)), strict=True):
        for name, values in exact.items():
            np.testing.assert_allclose(ours[name], values, rtol=1e-5, atol=1e-5)


@EVERY
def test_a_session_adds_eight_bits_up_without_loss(combination):
    """On a processor that clips sums as on others: all weights are as large as 8 bits allow."""
    signed = graph(combination, precision="int8")
    found = answers_of(signed, texts(combination))
    for ours, exact in zip(found, answers_of(unsigned_graph(signed), texts(combination)), strict=True):
        for name, values in exact.items():
            np.testing.assert_allclose(ours[name], values, rtol=1e-5, atol=1e-5)


def weights_of_products(model):
    whole = onnx.load_from_string(model)
    constants = {tensor.name: tensor for tensor in whole.graph.initializer}
    operators = ("MatMulIntegerToFloat", "QGemm", "DequantizeLinear")
    read = {name for node in whole.graph.node if node.op_type in operators for name in node.input if name in constants}
    return [constants[name] for name in read if len(constants[name].dims) == 2]
