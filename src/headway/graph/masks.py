"""A masked LM's graph that scores the vocabulary for its masks alone.

The scores of one token cost as much as several layers, and whoever fills masks reads no others.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from headway.graph.names import IDS, MASKED_LOGITS, MASKS
from headway.graph.pruning import prune

LOGITS = "logits"


def graph_for_masks_only(model: onnx.ModelProto | Path, mask_token_id: int) -> bytes:
    """The graph, perhaps from a file, that scores masks alone where that can be made of it; else as it is."""
    whole = onnx.load_model(model, load_external_data=False) if isinstance(model, Path) else model  # what is shared stays so
    return bytes((for_masks_only(whole, mask_token_id) or whole).SerializeToString())


def for_masks_only(model: onnx.ModelProto, mask_token_id: int) -> onnx.ModelProto | None:
    """The model, with ``masked_logits``, (masks, vocabulary), in the place of ``logits``: those of each mask, text by text.

    The numbers are those of the whole graph. None where a graph does not end as ``vocabulary_scores`` writes it: it serves as it
    is. The model is changed and given back.
    """
    nodes = list(model.graph.node)
    makers = {output: place for place, node in enumerate(nodes) for output in node.output}
    end = makers.get(LOGITS)
    if end is None or nodes[end].op_type != "Reshape":
        return None
    chain = list(_back(nodes, makers, nodes[end].input[0]))
    if len(chain) < 2 or nodes[chain[-1]].op_type != "Reshape":
        return None
    rows = nodes[chain[-1]].output[0]
    for place in chain[:-1]:
        _rename(nodes[place].input, rows, "masks.states")
    _rename(nodes[chain[0]].output, nodes[end].input[0], MASKED_LOGITS)
    after = chain[-1] + 1
    kept = [*nodes[:after], *_gathering(rows), *nodes[after:end], *nodes[end + 1 :]]
    _finish(model.graph, kept, mask_token_id)
    return model


def _back(nodes: list[onnx.NodeProto], makers: dict[str, int], value: str) -> Iterator[int]:
    """The nodes that made a value, each from the first input of the one before, back to the one that made rows of states."""
    while value in makers:
        place = makers[value]
        yield place
        if nodes[place].op_type == "Reshape":
            return
        value = nodes[place].input[0]


def _rename(values: Any, old: str, new: str) -> None:
    for place, name in enumerate(values):
        if name == old:
            values[place] = new


def _gathering(rows: str) -> list[onnx.NodeProto]:
    """The states of the masks from those of all tokens, (batch times sequence, hidden)."""
    return [
        helper.make_node("Equal", [IDS, "masks.id"], ["masks.found"]),
        helper.make_node("Reshape", ["masks.found", "masks.line"], ["masks.found_in_line"]),
        helper.make_node("NonZero", ["masks.found_in_line"], ["masks.places_1"]),
        helper.make_node("Squeeze", ["masks.places_1", "masks.first"], ["masks.places"]),
        helper.make_node("Gather", [rows, "masks.places"], ["masks.states"], axis=0),
    ]


def _finish(graph: onnx.GraphProto, nodes: list[onnx.NodeProto], mask_token_id: int) -> None:
    constants = {"masks.id": np.array(mask_token_id), "masks.line": np.array([-1]), "masks.first": np.array([0])}
    graph.initializer.extend(numpy_helper.from_array(values.astype(np.int64), name) for name, values in constants.items())
    (logits,) = (output for output in graph.output if output.name == LOGITS)
    vocabulary = logits.type.tensor_type.shape.dim[-1].dim_value
    outputs = [output for output in graph.output if output.name != LOGITS]
    outputs.append(helper.make_tensor_value_info(MASKED_LOGITS, TensorProto.FLOAT, (MASKS, vocabulary)))
    prune(graph, nodes, outputs)
