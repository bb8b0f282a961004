"""A graph with 8-bit weights as unsigned integers in the place of signed ones, for processors that clip sums of the latter.

The weights that products read are moved up by 128, and so is the integer that stands for zero: every product, and so every
answer, is that of the graph as it was written.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from headway.graph.damage import unreadable
from headway.graph.names import PRODUCTS, UNSIGNED
from headway.graph.pruning import prune

READERS = {"MatMulIntegerToFloat": (1, 3, 5), "QGemm": (3, 4, 5), "DequantizeLinear": (0, 1, 2)}
"""Which of an operator's inputs are its weights, their scales, and the integers for zero; the last stands before a product."""

MIDDLE = 128


def unsigned_graph(model: Path | bytes, *, shared: Mapping[str, np.ndarray] = MappingProxyType({})) -> bytes:
    """The graph from a file or its bytes; ``shared`` are the constants that it leaves to others.

    One that is damaged is a ``CheckpointError``.
    """
    try:
        whole = onnx.ModelProto.FromString(model if isinstance(model, bytes) else model.read_bytes())
    except DecodeError as error:
        raise unreadable(model, error) from error
    move(whole, shared=shared)
    return bytes(whole.SerializeToString())


def move(model: onnx.ModelProto, *, shared: Mapping[str, np.ndarray] = MappingProxyType({})) -> None:
    """Have a model multiply unsigned weights, and say so in its notes."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    made: dict[str, onnx.TensorProto] = {}
    for node in model.graph.node:
        places = READERS.get(node.op_type, ())
        if not places or (weights := constants.get(node.input[places[0]])) is None or weights.data_type != TensorProto.INT8:
            continue
        scales = constants[node.input[places[1]]]
        name, zeros = f"{weights.name}.unsigned", f"{scales.name}.zeros"
        if name not in made:
            signed = shared[weights.name] if weights.name in shared else numpy_helper.to_array(weights)
            made[name] = numpy_helper.from_array(signed.view(np.uint8) ^ np.uint8(MIDDLE), name)
            made[zeros] = numpy_helper.from_array(np.full(scales.dims, MIDDLE, np.uint8), zeros)
        node.input.extend([""] * (places[2] + 1 - len(node.input)))
        node.input[places[0]], node.input[places[2]] = name, zeros
    model.graph.initializer.extend(made.values())
    prune(model.graph, model.graph.node, model.graph.output)
    model.metadata_props.append(onnx.StringStringEntryProto(key=PRODUCTS, value=UNSIGNED))
