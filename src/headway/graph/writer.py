"""Nodes and constants of an ONNX graph, collected in the order in which they run.

The graphs are written ready to run: nothing in them needs folding or fusing when they are loaded.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
"""The first with Gelu; ONNX Runtime has it since 1.17."""

IR_VERSION = 10
Dimensions: TypeAlias = tuple[str | int, ...]
"""A shape, with names for what varies."""

CONTRIB = "com.microsoft"
CONTRIB_OPERATORS = frozenset(
    "BiasGelu DynamicQuantizeMatMul MatMulIntegerToFloat MultiHeadAttention QGemm SkipLayerNormalization".split()
)


class GraphWriter:
    """A graph being written: each call adds something and returns the name of its value."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, values: np.ndarray) -> str:
        """A constant by this name; the same name again is the same constant."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def integers(self, *values: int) -> str:
        """A constant list of int64, as shapes and axes are given."""
        return self.constant(f"integers.{'_'.join(map(str, values))}", np.array(values, np.int64))

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """The value that an operator computes; an input that is absent is ``""``."""
        output = output or f"{operator}.{len(self._nodes)}"
        domain = CONTRIB if operator in CONTRIB_OPERATORS else ""
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, domain=domain, **attributes))
        return output

    def model(
        self, *, inputs: Mapping[str, Dimensions], outputs: Mapping[str, Dimensions | None], metadata: Mapping[str, str]
    ) -> onnx.ModelProto:
        """The finished model: int64 inputs and float outputs with their dimensions, None where they are not known."""
        graph = helper.make_graph(
            self._nodes,
            "headway",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="headway")
        helper.set_model_props(model, dict(metadata))
        return model
