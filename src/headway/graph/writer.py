"""Nodes and constants of an ONNX graph, collected in the order in which they run.

The graphs are written ready to run: nothing in them needs folding or fusing when they are loaded, except for 8-bit integers by
standard operators. The same operator on the same values is written once, so whoever needs a value simply asks for it: what layers
share is computed once for all of them.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from headway.graph.names import FINISHED, UNFUSED

OPSET = 20
"""The first with Gelu; ONNX Runtime has it since 1.17."""

IR_VERSION = 10
Dimensions: TypeAlias = tuple[str | int, ...]
"""A shape, with names for what varies."""

CONTRIB = "com.microsoft"
CONTRIB_OPERATORS = frozenset(
    "BiasGelu DynamicQuantizeMatMul MatMulIntegerToFloat MultiHeadAttention QGemm RotaryEmbedding SkipLayerNormalization".split()
)


class GraphWriter:
    """A graph being written: each call adds something and returns the name of its value."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._values: dict[str, str] = {}

    def constant(self, name: str, values: np.ndarray) -> str:
        """A constant by this name; the same name again is the same constant."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(values, order="C"), name)
        return name

    def integers(self, *values: int) -> str:
        """A constant list of int64, as shapes and axes are given."""
        return self.constant(f"integers.{'_'.join(map(str, values))}", np.array(values, np.int64))

    def integer(self, value: int) -> str:
        """A constant int64 without dimensions."""
        return self.constant(f"integer.{value}", np.array(value, np.int64))

    def number(self, value: float) -> str:
        """A constant float32 without dimensions."""
        return self.constant(f"number.{value!r}", np.array(value, np.float32))

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """The value that an operator computes; an input that is absent is ``""``. ``output`` names a graph's output."""
        return self.nodes(operator, *inputs, outputs=None if output is None else (output,), **attributes)[0]

    def nodes(
        self, operator: str, *inputs: str, count: int = 1, outputs: tuple[str, ...] | None = None, **attributes: Any
    ) -> tuple[str, ...]:
        """The values of an operator that computes several."""
        asked = repr((operator, inputs, count, sorted(attributes.items())))
        if outputs is None and asked in self._values:
            return tuple(self._values[asked].split())
        label = f"{operator}.{len(self._nodes)}"
        found = outputs or (label, *(f"{label}.{index}" for index in range(1, count)))
        domain = CONTRIB if operator in CONTRIB_OPERATORS else ""
        self._nodes.append(helper.make_node(operator, list(inputs), list(found), name=found[0], domain=domain, **attributes))
        self._values.setdefault(asked, " ".join(found))
        return found

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
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain == CONTRIB for node in self._nodes):
            opsets.append(helper.make_opsetid(CONTRIB, 1))
        form = UNFUSED if any(node.op_type == "DequantizeLinear" for node in self._nodes) else FINISHED
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="headway", producer_version=form
        )
        helper.set_model_props(model, dict(metadata))
        return model
