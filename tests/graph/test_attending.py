"""Weights of attention from finished graphs: blocks put together by hand, and a model that shares its table."""

import numpy as np

from headway.checkpoints import locate
from headway.core.batching import TokenSequence
from headway.graph.attending import AttentionGraph, from_blocks
from headway.graph.shared import shared_tensors


def test_blocks_become_a_text():
    """Five tokens in blocks of two that see one more on each side; what is beyond the text's ends is left out."""
    blocks = np.arange(1, 25, dtype=np.float32).reshape(3, 1, 2, 4)
    assert from_blocks(blocks, length=5).tolist() == [
        [[2, 3, 4, 0, 0], [6, 7, 8, 0, 0], [0, 9, 10, 11, 12], [0, 13, 14, 15, 16], [0, 0, 0, 17, 18]]
    ]
    assert from_blocks(blocks[:1], length=2).shape == (1, 2, 4)


def test_a_model_that_shares_its_table_shows_its_attention_too():
    model = locate("embeddings") / "model_int8.onnx"
    assert shared_tensors(model)
    graph = AttentionGraph(model, shared=shared_tensors(model))
    tokens = TokenSequence((2, 57, 99, 5, 3))
    for layer in range(graph.layers):
        weights = graph.weights(tokens, layer=layer)
        assert weights.shape == (4, 5, 5)
        assert np.allclose(weights.sum(-1), 1, atol=1e-5)
