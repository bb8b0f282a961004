"""Graphs that score the vocabulary for masks alone, against the whole graphs."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from headway.architecture import weight_shapes
from headway.core.batching import TokenSequence
from headway.core.padding import padded
from headway.families import family
from headway.graph import Session, build_graph
from headway.graph.masks import for_masks_only

MASK = 7
SETTINGS = {
    "vocab_size": 101, "num_hidden_layers": 2, "intermediate_size": 37, "max_position_embeddings": 41, "pad_token_id": 0,
}  # fmt: skip
FAMILIES = {
    "bert": {"hidden_size": 28, "num_attention_heads": 4},
    "distilbert": {"dim": 28, "n_heads": 4, "n_layers": 2, "hidden_dim": 37},
    "roberta": {"hidden_size": 28, "num_attention_heads": 4, "max_position_embeddings": 43, "pad_token_id": 1},
    "modernbert": {"hidden_size": 30, "num_attention_heads": 5, "local_attention": 10},
}


def texts():
    generator = np.random.default_rng(3)
    rows = [generator.integers(11, 101, length) for length in (13, 1, 29, 5)]
    for row, places in zip(rows, [[2, 3, 11], [0], [28], [0, 4]], strict=True):
        row[places] = MASK
    return [TokenSequence(row.tolist()) for row in rows]


def built(model_type, random_weights, **how):
    found = family(model_type)
    known = {name: value for name, value in SETTINGS.items() if model_type != "distilbert" or not name.startswith(("num", "int"))}
    architecture = found.architecture(found.config(**{**known, **FAMILIES[model_type]}), "masked-lm")
    weights = random_weights(weight_shapes(architecture))
    return build_graph(architecture, weights, calibration=texts(), **how)


def scores(model, sequences):
    return Session(model.SerializeToString(), threads=1).run(**padded(sequences))


@pytest.mark.parametrize("how", [{}, {"precision": "int8"}, {"portable": True}, {"precision": "int8", "portable": True}], ids=str)
@pytest.mark.parametrize("model_type", FAMILIES)
def test_masks_have_the_scores_of_the_whole_graph(model_type, how, random_weights):
    whole = built(model_type, random_weights, **how)
    rows = scores(whole, texts())["logits"][padded(texts())["input_ids"] == MASK]
    narrow = for_masks_only(whole, MASK)
    onnx.checker.check_model(narrow)
    found = scores(narrow, texts())
    assert list(found) == ["masked_logits"]
    np.testing.assert_allclose(found["masked_logits"], rows, rtol=1e-5, atol=1e-6)


def test_nothing_is_computed_that_nobody_reads(random_weights):
    whole = built("bert", random_weights)
    before = {node.name for node in whole.graph.node}
    narrow = for_masks_only(whole, MASK)
    read = {name for node in narrow.graph.node for name in node.input} | {"masked_logits"}
    assert all(read.intersection(node.output) for node in narrow.graph.node)
    assert before - {node.name for node in narrow.graph.node}
    assert {values.name for values in narrow.graph.initializer} <= read


@pytest.mark.parametrize("how", [{}, {"precision": "int8"}], ids=str)
def test_a_batch_without_masks_has_no_scores(how, random_weights):
    narrow = for_masks_only(built("bert", random_weights, **how), MASK)
    assert scores(narrow, [TokenSequence([11, 12]), TokenSequence([13])])["masked_logits"].shape == (0, 101)


@pytest.mark.parametrize("operators", [("Relu", "Reshape"), ("Reshape", "Reshape"), ("Reshape",)], ids=str)
def test_a_graph_of_others_is_left_alone(operators):
    values = ["input_ids", *(f"value.{place}" for place in range(len(operators) - 1)), "logits"]
    nodes = [
        helper.make_node(operator, [values[place], "shape"][: 1 + (operator == "Reshape")], [values[place + 1]])
        for place, operator in enumerate(operators)
    ]
    shape = numpy_helper.from_array(np.array([-1, 2, 3]), "shape")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (None, 2, 3)) for name in ("input_ids", "logits")]
    model = helper.make_model(helper.make_graph(nodes, "graph", ends[:1], ends[1:], [shape]))
    before = model.SerializeToString()
    assert for_masks_only(model, MASK) is None
    assert model.SerializeToString() == before


def test_a_graph_that_ends_otherwise_is_left_alone(random_weights, tiny_config):
    architecture = family("bert").architecture(tiny_config, "token-classification")
    model = build_graph(architecture, random_weights(weight_shapes(architecture)))
    before = model.SerializeToString()
    assert for_masks_only(model, MASK) is None
    assert model.SerializeToString() == before
