"""Weights as 8-bit integers, for ONNX Runtime's own operators or for the standard's."""

from collections.abc import Mapping

import numpy as np
from onnx import TensorProto

from headway.graph.precision import Weights, chosen_map, label_of
from headway.graph.quantised import Reading, quantise_rows
from headway.graph.writer import GraphWriter


class Integers:
    """A model's weights as signed 8-bit integers, with a scale for each output or row, and what its maps read as unsigned ones.

    The ranges of the latter are constants, so a text's numbers do not depend on what else is in the batch.
    """

    def __init__(self, weights: Weights, readings: Mapping[str, Reading], *, limit: int) -> None:
        self.weights = weights
        self.readings = readings
        self.limit = limit
        self._tables: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def rows(self, writer: GraphWriter, name: str, *, ids: str) -> str:
        """The rows of a table, as float32."""
        integers, scales = self.table(writer, name)
        return _scaled(writer, writer.node("Gather", integers, ids), writer.node("Gather", scales, ids))

    def first_rows(self, writer: GraphWriter, name: str, *, count: str) -> str:
        """The first rows of a table, as float32."""
        zero = writer.integers(0)
        integers, scales = (writer.node("Slice", part, zero, count, zero) for part in self.table(writer, name))
        return _scaled(writer, integers, scales)

    def prepare(self, writer: GraphWriter, states: str, name: str) -> str:
        """The states as integers."""
        divisor = self.readings[name].divisor
        if divisor is not None:
            states = writer.node("Mul", states, writer.constant(f"{name}.input.factor", 1 / divisor))
        return writer.node("QuantizeLinear", states, *self.steps(writer, name))

    def map(self, writer: GraphWriter, name: str, part: slice, factor: float) -> tuple[str, str, str]:
        """A linear map's matrix, (in, out), the scales of its outputs, and its bias or ``""``."""
        (matrix, bias), divisor = chosen_map(self.weights, name, part, factor), self.readings[name].divisor
        integers, scales = quantise_rows(matrix if divisor is None else matrix * divisor, limit=self.limit)
        label = label_of(name, part)
        return (
            writer.constant(f"{label}.weight", integers.T),
            writer.constant(f"{label}.weight.scales", scales),
            "" if bias is None else writer.constant(f"{label}.bias", bias),
        )

    def table(self, writer: GraphWriter, name: str) -> tuple[str, str]:
        """A table, (rows, channels), and the scales of its rows."""
        integers, scales = self.rounded_table(name)
        return writer.constant(f"{name}.weight", integers), writer.constant(f"{name}.weight.scales", scales)

    def rounded_table(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of ``table``."""
        if name not in self._tables:
            self._tables[name] = quantise_rows(self.weights[f"{name}.weight"], limit=self.limit)
        return self._tables[name]

    def steps(self, writer: GraphWriter, name: str) -> tuple[str, str]:
        """What one step of the integers that this map reads stands for, and the integer for zero."""
        found = self.readings[name].range
        return writer.constant(f"{name}.input.scale", found.scale), writer.constant(f"{name}.input.zero", found.zero_point)


class Int8:
    """8-bit integers by ONNX Runtime's own operators, which multiply, scale and add the bias in one go."""

    def __init__(self, weights: Weights, readings: Mapping[str, Reading], *, limit: int) -> None:
        self.integers = integers = Integers(weights, readings, limit=limit)
        self.rows, self.first_rows, self.prepare = integers.rows, integers.first_rows, integers.prepare

    def linear(self, writer: GraphWriter, prepared: str, name: str, *, part: slice = slice(None), factor: float = 1.0) -> str:
        matrix, scales, bias = self.integers.map(writer, name, part, factor)
        scale, zero = self.integers.steps(writer, name)
        return writer.node("MatMulIntegerToFloat", prepared, matrix, scale, scales, zero, "", bias)

    def scores(self, writer: GraphWriter, states: str, *, table: str, bias: str) -> str:
        integers, scales = self.integers.table(writer, table)
        scale, zero = self.integers.steps(writer, table)
        prepared = writer.node("QuantizeLinear", states, scale, zero)
        zeros = writer.constant(f"{table}.zero_points", np.zeros(len(self.integers.rounded_table(table)[1]), np.int8))
        steps = self._bias_in_steps(writer, table, bias)
        return writer.node("QGemm", prepared, scale, zero, integers, scales, zeros, steps, transB=1)

    def _bias_in_steps(self, writer: GraphWriter, table: str, bias: str) -> str:
        if bias not in self.integers.weights:
            return ""
        step = self.integers.rounded_table(table)[1] * self.integers.readings[table].range.scale
        return writer.constant(f"{bias}.steps", np.rint(self.integers.weights[bias] / step).astype(np.int32))


class PortableInt8:
    """8-bit integers by standard operators alone: rounded and read back before a plain product.

    A runtime that knows the pattern multiplies the integers; one that does not computes the same numbers in fp32.
    """

    def __init__(self, weights: Weights, readings: Mapping[str, Reading], *, limit: int) -> None:
        self.integers = integers = Integers(weights, readings, limit=limit)
        self.rows, self.first_rows = integers.rows, integers.first_rows

    def prepare(self, writer: GraphWriter, states: str, name: str) -> str:
        return writer.node("DequantizeLinear", self.integers.prepare(writer, states, name), *self.integers.steps(writer, name))

    def linear(self, writer: GraphWriter, prepared: str, name: str, *, part: slice = slice(None), factor: float = 1.0) -> str:
        matrix, scales, bias = self.integers.map(writer, name, part, factor)
        product = writer.node("MatMul", prepared, writer.node("DequantizeLinear", matrix, scales, axis=1))
        return writer.node("Add", product, bias) if bias else product

    def scores(self, writer: GraphWriter, states: str, *, table: str, bias: str) -> str:
        integers, scales = self.integers.table(writer, table)
        steps = self.integers.steps(writer, table)
        rounded = writer.node("DequantizeLinear", writer.node("QuantizeLinear", states, *steps), *steps)
        terms = [rounded, writer.node("DequantizeLinear", integers, scales, axis=0)]
        if bias in self.integers.weights:
            terms.append(writer.constant(bias, self.integers.weights[bias]))
        return writer.node("Gemm", *terms, transB=1)


def _scaled(writer: GraphWriter, integers: str, scales: str) -> str:
    chosen = writer.node("Cast", integers, to=TensorProto.FLOAT)
    return writer.node("Mul", chosen, writer.node("Unsqueeze", scales, writer.integers(-1)))
