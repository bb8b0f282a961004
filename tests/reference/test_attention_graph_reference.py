"""What attention looks at, from finished graphs: equal to transformers' ``output_attentions``, also in windows and for heads."""

import numpy as np
import pytest
import torch

from headway.checkpoints import load_checkpoint
from headway.core.batching import TokenSequence
from headway.graph import AttentionGraph, build_graph
from reference.family_cases import CASES, Combination, batch, saved_folder, transformers_model

CHOSEN = ("bert", "roberta", "deberta-v2", "modernbert", "albert", "mpnet")
BASES = [Combination(case, "base") for case in CASES if case.name in (*CHOSEN, "modernbert far away", "deberta")]
CLASSIFIERS = [Combination(case, "sequence-classification") for case in CASES if case.name in CHOSEN]
TOLERANCE = 1e-5


def ours(combination, tokens, **how):
    """Each layer's weights, (heads, queries, tokens)."""
    found = load_checkpoint(saved_folder(combination.case, combination.head), head=combination.head)
    graph = AttentionGraph(build_graph(found.architecture, found.weights, **how).SerializeToString())
    return [graph.weights(tokens, layer=layer) for layer in range(graph.layers)]


def text(combination):
    """One of the longest length, and the same as transformers reads it."""
    rows = batch(combination.case, combination.head, lengths=(combination.case.longest,))
    types = rows.get("token_type_ids")
    return TokenSequence(rows["input_ids"][0].tolist(), None if types is None else types[0].tolist()), rows


def theirs(combination, rows):
    with torch.no_grad():
        tensors = {name: torch.from_numpy(array) for name, array in rows.items()}
        found = transformers_model(combination.case, combination.head)(**tensors, output_attentions=True)
    return [weights[0].numpy() for weights in found.attentions]


@pytest.mark.parametrize("combination", BASES, ids=str)
@pytest.mark.parametrize("portable", [False, True], ids=["", "portable"])
def test_weights_equal_those_of_transformers(combination, portable):
    tokens, rows = text(combination)
    found, expected = ours(combination, tokens, portable=portable), theirs(combination, rows)
    assert len(found) == len(expected)
    for layer, wanted in zip(found, expected, strict=True):
        assert layer.shape == wanted.shape
        assert np.abs(layer - wanted).max() < TOLERANCE


@pytest.mark.parametrize("combination", CLASSIFIERS, ids=str)
def test_of_the_last_layer_there_is_what_the_answer_read(combination):
    tokens, rows = text(combination)
    found, expected = ours(combination, tokens), theirs(combination, rows)
    queries = [layer.shape[1] for layer in found]
    assert queries == [len(tokens)] * (len(found) - 1) + [1]
    for layer, wanted in zip(found, expected, strict=True):
        assert np.abs(layer - wanted[:, : layer.shape[1]]).max() < TOLERANCE


@pytest.mark.parametrize("combination", [one for one in CLASSIFIERS if one.case.name in CHOSEN[:4]], ids=str)
def test_weights_of_graphs_in_int8_add_up_to_1_and_are_near_those_of_fp32(combination):
    tokens, _ = text(combination)
    found, exact = ours(combination, tokens, precision="int8"), ours(combination, tokens)
    for layer, wanted in zip(found, exact, strict=True):
        assert np.abs(layer.sum(-1) - 1).max() < TOLERANCE
        assert 0 < np.abs(layer - wanted).max() < 0.2
