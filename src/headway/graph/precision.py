"""How weights enter a graph: as they are in fp32, or as 8-bit integers.

All that differs between the precisions is in the two classes here; the architecture is written once, for both. Linear maps take
(batch, sequence, in) and give (batch, sequence, out).
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from onnx import TensorProto

from headway.graph.quantised import Reading, quantise_rows
from headway.graph.writer import GraphWriter

Weights = Mapping[str, np.ndarray]


class Precision(Protocol):
    """What the layers ask for. ``name`` is that of a weight, without ``.weight`` or ``.bias``."""

    def rows(self, writer: GraphWriter, name: str, *, ids: str) -> str:
        """The rows of a table that the ids name, float32."""
        ...

    def first_rows(self, writer: GraphWriter, name: str, *, count: str) -> str:
        """As many rows of a table, from the first on, float32."""
        ...

    def prepare(self, writer: GraphWriter, states: str, name: str) -> str:
        """The states as the linear map of this name reads them; several maps may share what one call gives."""
        ...

    def linear(self, writer: GraphWriter, prepared: str, name: str, *, part: slice = slice(None), factor: float = 1.0) -> str:
        """A linear map of prepared states; ``part`` chooses some of its outputs, which are multiplied by ``factor``."""
        ...

    def scores(self, writer: GraphWriter, states: str, *, table: str, bias: str) -> str:
        """Each state's product with every row of a table: (tokens, hidden) to (tokens, rows)."""
        ...


class Float32:
    """Weights as they are. ``inputs`` collects which value each linear map reads, for calibration."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.inputs: dict[str, str] = {}

    def rows(self, writer: GraphWriter, name: str, *, ids: str) -> str:
        return writer.node("Gather", self._constant(writer, name), ids)

    def first_rows(self, writer: GraphWriter, name: str, *, count: str) -> str:
        return writer.node("Slice", self._constant(writer, name), writer.integers(0), count, writer.integers(0))

    def prepare(self, writer: GraphWriter, states: str, name: str) -> str:
        self.inputs.setdefault(name, states)
        return states

    def linear(self, writer: GraphWriter, prepared: str, name: str, *, part: slice = slice(None), factor: float = 1.0) -> str:
        matrix, bias = _map(self.weights, name, part, factor)
        label = _label(name, part)
        product = writer.node("MatMul", prepared, writer.constant(f"{label}.weight", matrix.T))
        return writer.node("Add", product, writer.constant(f"{label}.bias", bias))

    def scores(self, writer: GraphWriter, states: str, *, table: str, bias: str) -> str:
        self.inputs[table] = states
        return writer.node("Gemm", states, self._constant(writer, table), writer.constant(bias, self.weights[bias]), transB=1)

    def _constant(self, writer: GraphWriter, name: str) -> str:
        return writer.constant(f"{name}.weight", self.weights[f"{name}.weight"])


class Int8:
    """Signed 8-bit weights with a scale for each output, unsigned 8-bit activations with one calibrated range for each place.

    The ranges are constants, so a text's numbers do not depend on what else is in the batch. Tables of vectors are 8 bits wide
    too, with a scale for each row.
    """

    def __init__(self, weights: Weights, readings: Mapping[str, Reading], *, limit: int) -> None:
        self.weights = weights
        self.readings = readings
        self.limit = limit
        self._quantised: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def rows(self, writer: GraphWriter, name: str, *, ids: str) -> str:
        integers, scales = self._table(writer, name)
        chosen = writer.node("Cast", writer.node("Gather", integers, ids), to=TensorProto.FLOAT)
        return writer.node("Mul", chosen, writer.node("Unsqueeze", writer.node("Gather", scales, ids), writer.integers(-1)))

    def first_rows(self, writer: GraphWriter, name: str, *, count: str) -> str:
        zero = writer.integers(0)
        integers, scales = (writer.node("Slice", part, zero, count, zero) for part in self._table(writer, name))
        chosen = writer.node("Cast", integers, to=TensorProto.FLOAT)
        return writer.node("Mul", chosen, writer.node("Unsqueeze", scales, writer.integers(-1)))

    def prepare(self, writer: GraphWriter, states: str, name: str) -> str:
        reading = self.readings[name]
        if reading.divisor is not None:
            states = writer.node("Mul", states, writer.constant(f"{name}.input.factor", 1 / reading.divisor))
        return writer.node("QuantizeLinear", states, *self._steps(writer, name))

    def linear(self, writer: GraphWriter, prepared: str, name: str, *, part: slice = slice(None), factor: float = 1.0) -> str:
        (matrix, bias), divisor = _map(self.weights, name, part, factor), self.readings[name].divisor
        integers, scales = quantise_rows(matrix if divisor is None else matrix * divisor, limit=self.limit)
        label = _label(name, part)
        scale, zero_point = self._steps(writer, name)
        return writer.node(
            "MatMulIntegerToFloat",
            prepared,
            writer.constant(f"{label}.weight", integers.T),
            scale,
            writer.constant(f"{label}.weight.scales", scales),
            zero_point,
            "",
            writer.constant(f"{label}.bias", bias),
        )

    def scores(self, writer: GraphWriter, states: str, *, table: str, bias: str) -> str:
        integers, scales = self._table(writer, table)
        scale, zero_point = self._steps(writer, table)
        steps = np.rint(self.weights[bias] / (self._quantised[table][1] * self.readings[table].range.scale)).astype(np.int32)
        prepared = writer.node("QuantizeLinear", states, scale, zero_point)
        zeros = writer.constant(f"{table}.zero_points", np.zeros(len(steps), np.int8))
        return writer.node(
            "QGemm", prepared, scale, zero_point, integers, scales, zeros, writer.constant(f"{bias}.steps", steps), transB=1
        )

    def _table(self, writer: GraphWriter, name: str) -> tuple[str, str]:
        if name not in self._quantised:
            self._quantised[name] = quantise_rows(self.weights[f"{name}.weight"], limit=self.limit)
        integers, scales = self._quantised[name]
        return writer.constant(f"{name}.weight", integers), writer.constant(f"{name}.weight.scales", scales)

    def _steps(self, writer: GraphWriter, name: str) -> tuple[str, str]:
        found = self.readings[name].range
        return writer.constant(f"{name}.input.scale", found.scale), writer.constant(f"{name}.input.zero", found.zero_point)


def _map(weights: Weights, name: str, part: slice, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """A linear map's matrix, (out, in), and bias."""
    matrix, bias = weights[f"{name}.weight"][part], weights[f"{name}.bias"][part]
    return (matrix, bias) if factor == 1.0 else (matrix * factor, bias * factor)


def _label(name: str, part: slice) -> str:
    return name if part == slice(None) else f"{name}.{part.start}-{part.stop}"
