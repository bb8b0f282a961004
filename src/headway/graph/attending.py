"""What a model's attention looks at: its weights from a finished graph, in whichever precision, without torch.

The graph is the one that answers, cut off behind the last softmax, so these are the weights that made the answer. Unusual: where
an answer needs the last layer's first token alone, that layer computes no other row, and there is none to show.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
from onnx import TensorProto, helper

from headway.core.batching import TokenSequence
from headway.core.padding import padded
from headway.graph.pruning import prune
from headway.graph.session import Session

SOFTMAX = "Softmax"
"""The operator whose results are weights; the graphs that Headway writes have it nowhere else."""


class AttentionGraph:
    """A model's attention, ready to be looked at. Safe to use from several threads.

    ``model`` is a graph of Headway's, as a file or its bytes; ``shared`` are the constants that it leaves to others.
    """

    def __init__(self, model: Path | bytes, *, shared: Mapping[str, np.ndarray] = MappingProxyType({})) -> None:
        self._session = Session(graph_of_attention(model), threads=1, shared=shared)

    @property
    def layers(self) -> int:
        """How many layers there are; one that is used again counts again."""
        return len(self._session.output_names)

    def weights(self, sequence: TokenSequence, *, layer: int) -> np.ndarray:
        """How much each token takes of each, (heads, queries, tokens): rows that add up to 1, for all tokens or the first."""
        inputs = padded([sequence])
        return from_blocks(self._session.run_for(self._session.output_names[layer], inputs), length=len(sequence))


def graph_of_attention(model: Path | bytes) -> bytes:
    """The graph whose outputs are the attention's weights, layer by layer, and that computes nothing else."""
    parse = onnx.ModelProto.FromString  # of a file what is shared stays so
    whole = parse(model) if isinstance(model, bytes) else onnx.load_model(model, load_external_data=False)
    names = [node.output[0] for node in whole.graph.node if node.op_type == SOFTMAX]
    shape = ("blocks", "heads", "queries", "keys")
    prune(whole.graph, whole.graph.node, [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names])
    return bytes(whole.SerializeToString())


def from_blocks(weights: np.ndarray, *, length: int) -> np.ndarray:
    """The weights of one text from those of its blocks (``bands``), (heads, queries, length); one block is all of it."""
    blocks, heads, queries, keys = weights.shape
    if blocks == 1:
        return np.asarray(weights[0])
    reach = (keys - queries) // 2
    found = np.zeros((heads, blocks * queries, blocks * queries + 2 * reach), np.float32)
    for number, block in enumerate(weights):
        first = number * queries
        found[:, first : first + queries, first : first + keys] = block
    return found[:, :length, reach : reach + length]
