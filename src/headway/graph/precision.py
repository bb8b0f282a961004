"""How weights enter a graph: as they are in fp32, or as 8-bit integers (``integers``).

All that differs between the precisions is in the classes that keep this protocol; the architecture is written once, for all.
Linear maps take (batch, sequence, in) and give (batch, sequence, out).
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

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
        """Each state's product with every row of a table, and the bias if there is one: (tokens, hidden) to (tokens, rows)."""
        ...


class Float32:
    """Weights as they are. ``inputs`` collects which values each linear map reads, for calibration."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.inputs: dict[str, list[str]] = {}

    def rows(self, writer: GraphWriter, name: str, *, ids: str) -> str:
        return writer.node("Gather", self._constant(writer, name), ids)

    def first_rows(self, writer: GraphWriter, name: str, *, count: str) -> str:
        return writer.node("Slice", self._constant(writer, name), writer.integers(0), count, writer.integers(0))

    def prepare(self, writer: GraphWriter, states: str, name: str) -> str:
        self._note(name, states)
        return states

    def linear(self, writer: GraphWriter, prepared: str, name: str, *, part: slice = slice(None), factor: float = 1.0) -> str:
        matrix, bias = chosen_map(self.weights, name, part, factor)
        label = label_of(name, part)
        product = writer.node("MatMul", prepared, writer.constant(f"{label}.weight", matrix.T))
        return product if bias is None else writer.node("Add", product, writer.constant(f"{label}.bias", bias))

    def scores(self, writer: GraphWriter, states: str, *, table: str, bias: str) -> str:
        self._note(table, states)
        terms = [states, self._constant(writer, table)]
        if bias in self.weights:
            terms.append(writer.constant(bias, self.weights[bias]))
        return writer.node("Gemm", *terms, transB=1)

    def _note(self, name: str, states: str) -> None:
        found = self.inputs.setdefault(name, [])
        if states not in found:
            found.append(states)

    def _constant(self, writer: GraphWriter, name: str) -> str:
        return writer.constant(f"{name}.weight", self.weights[f"{name}.weight"])


def chosen_map(weights: Weights, name: str, part: slice, factor: float) -> tuple[np.ndarray, np.ndarray | None]:
    """A linear map's matrix, (out, in), and its bias, (out,), if any of it is not zero."""
    matrix, bias = weights[f"{name}.weight"][part], weights.get(f"{name}.bias")
    if bias is not None:
        bias = bias[part] * np.float32(factor) if bias[part].any() else None
    return matrix if factor == 1.0 else matrix * np.float32(factor), bias


def label_of(name: str, part: slice) -> str:
    """The name under which a part of a map is held."""
    return name if part == slice(None) else f"{name}.{part.start}-{part.stop}"
