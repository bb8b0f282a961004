"""What all parts of a model are written with: linear maps, normalisation, activations."""

from headway.architecture import Norm, Transform
from headway.architecture.parts import Activation
from headway.graph.precision import Precision, Weights
from headway.graph.writer import GraphWriter


class PartWriter:
    """Writes the operators that occur everywhere. Values are (batch, sequence, channels) in general.

    Addition and LayerNormalization stay two operators: the fused SkipLayerNormalization sums in one dependent chain and takes
    five times as long. ``portable`` graphs have standard operators alone.
    """

    def __init__(self, writer: GraphWriter, weights: Weights, precision: Precision, *, portable: bool = False) -> None:
        self.writer = writer
        self.weights = weights
        self.precision = precision
        self.portable = portable

    def linear(self, states: str, name: str, *, part: slice = slice(None), factor: float = 1.0) -> str:
        """A linear map, or some of its outputs, in the graph's precision. Maps of the same name share what they read."""
        prepared = self.precision.prepare(self.writer, states, name)
        return self.precision.linear(self.writer, prepared, name, part=part, factor=factor)

    def norm(self, states: str, name: str, parts: Norm | None) -> str:
        """Layer normalisation over the last dimension; the states themselves where there is none."""
        if parts is None:
            return states
        terms = [self.constant(f"{name}.weight"), *([self.constant(f"{name}.bias")] if parts.bias else [])]
        return self.writer.node("LayerNormalization", states, *terms, axis=-1, epsilon=parts.eps)

    def transform(self, states: str, name: str, parts: Transform) -> str:
        """A linear map, an activation and, where there is one, a normalisation."""
        return self.norm(self.activation(self.linear(states, f"{name}.dense"), parts.activation), f"{name}.norm", parts.norm)

    def dense(self, states: str, name: str, *, output: str | None = None) -> str:
        """A linear map in fp32 of (rows, channels): for the few rows of a head, where 8 bits would save nothing."""
        names = [f"{name}.weight", *([f"{name}.bias"] if f"{name}.bias" in self.weights else [])]
        return self.writer.node("Gemm", states, *map(self.constant, names), transB=1, output=output)

    def exact(self, states: str, name: str, *, output: str | None = None) -> str:
        """A linear map in fp32 of (batch, sequence, channels): from or to few channels, where 8 bits would save little."""
        matrix = self.writer.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        if f"{name}.bias" not in self.weights:
            return self.writer.node("MatMul", states, matrix, output=output)
        return self.writer.node("Add", self.writer.node("MatMul", states, matrix), self.constant(f"{name}.bias"), output=output)

    def activation(self, states: str, kind: Activation, *, output: str | None = None) -> str:
        """An activation by the architecture's name for it."""
        match kind:
            case "gelu":
                return self.writer.node("Gelu", states, output=output)
            case "gelu_tanh":
                return self.writer.node("Gelu", states, output=output, approximate="tanh")
            case "relu":
                return self.writer.node("Relu", states, output=output)
            case "silu":
                return self.writer.node("Mul", states, self.writer.node("Sigmoid", states), output=output)
            case "tanh":
                return self.writer.node("Tanh", states, output=output)

    def first(self, values: str) -> str:
        """Each text's first column, kept as a dimension of one."""
        return self.writer.node("Slice", values, *(self.writer.integers(place) for place in (0, 1, 1)))

    def constant(self, name: str) -> str:
        """A weight as it is."""
        return self.writer.constant(name, self.weights[name])
