"""The encoder as ONNX operators, chosen for speed on ONNX Runtime's CPU kernels; docs/int8.md has the measurements.

- Addition and LayerNormalization stay two operators: the fused SkipLayerNormalization sums in one dependent chain and takes five
  times as long.
- Queries, keys and values are three products that share one prepared input: a fused product would have to be split again.
- Attention is written out: the fused MultiHeadAttention takes a little longer. Queries' weights carry the scale of the scores.
- Where only the first token's state is read, the last layer computes that token alone: the others serve as keys and values.
"""

import numpy as np
from onnx import TensorProto

from headway.architecture import Encoder, Layer
from headway.architecture.parts import Activation
from headway.graph.precision import Precision, Weights
from headway.graph.writer import GraphWriter


class LayerWriter:
    """Writes the operators of a model's parts, each method one part. Values are (batch, sequence, hidden) in general."""

    def __init__(self, writer: GraphWriter, weights: Weights, precision: Precision) -> None:
        self.writer = writer
        self.weights = weights
        self.precision = precision

    def encoder(self, encoder: Encoder, *, ids: str, mask: str, types: str, first_only: bool) -> str:
        """The last layer's states; with ``first_only`` those of each text's first token alone, (batch, 1, hidden)."""
        states = self.embeddings(encoder, ids=ids, types=types)
        penalty = self.penalty(mask)
        for index, layer in enumerate(encoder.layers):
            last = index == len(encoder.layers) - 1
            states = self.layer(layer, states, penalty, name=f"layers.{index}", first_only=first_only and last)
        return states

    def embeddings(self, encoder: Encoder, *, ids: str, types: str) -> str:
        """The normalised sum of token, position and token-type vectors. Positions count from the first column."""
        write = self.writer.node
        length = write("Slice", write("Shape", ids), self.writer.integers(1), self.writer.integers(2))
        tokens = self.precision.rows(self.writer, "embeddings.token", ids=ids)
        positions = self.precision.first_rows(self.writer, "embeddings.position", count=length)
        kinds = write("Gather", self._constant("embeddings.token_type.weight"), types)
        summed = write("Add", write("Add", tokens, kinds), positions)
        return self.norm(summed, "embeddings.norm", eps=encoder.embeddings.norm.eps)

    def layer(self, layer: Layer, states: str, penalty: str, *, name: str, first_only: bool) -> str:
        """One layer: attention and feed-forward, each added to what it read and normalised."""
        mixed, states = self.attention(layer, states, penalty, name=f"{name}.attention", first_only=first_only)
        states = self.norm(self.writer.node("Add", states, mixed), f"{name}.attention_norm", eps=layer.attention_norm.eps)
        changed = self.feed_forward(layer, states, name=f"{name}.feed_forward")
        return self.norm(self.writer.node("Add", states, changed), f"{name}.feed_forward_norm", eps=layer.feed_forward_norm.eps)

    def attention(self, layer: Layer, states: str, penalty: str, *, name: str, first_only: bool) -> tuple[str, str]:
        """What attention adds to the states, and those states: with ``first_only`` just each text's first."""
        write = self.writer.node
        queries, keys, values = self.projections(layer, states, f"{name}.qkv", first_only=first_only)
        chances = write("Softmax", write("Add", write("MatMul", queries, keys), penalty), axis=-1)
        mixed = write("Transpose", write("MatMul", chances, values), perm=[0, 2, 1, 3])
        joined = write("Reshape", mixed, self.writer.integers(0, 0, -1))
        return self.linear(joined, f"{name}.out"), self.first(states) if first_only else states

    def projections(self, layer: Layer, states: str, name: str, *, first_only: bool) -> tuple[str, str, str]:
        """Queries and values, (batch, heads, sequence, size), and keys, (batch, heads, size, sequence).

        With ``first_only`` the query of each text's first token alone.
        """
        hidden, heads = self.weights[f"{name}.weight"].shape[1], layer.attention.num_heads
        prepared = self.precision.prepare(self.writer, states, name)
        asking = self.first(prepared) if first_only else prepared

        def project(read: str, start: int, *, order: list[int], factor: float = 1.0) -> str:
            part = slice(start * hidden, (start + 1) * hidden)
            flat = self.precision.linear(self.writer, read, name, part=part, factor=factor)
            split = self.writer.node("Reshape", flat, self.writer.integers(0, 0, heads, hidden // heads))
            return self.writer.node("Transpose", split, perm=order)

        queries = project(asking, 0, order=[0, 2, 1, 3], factor=(hidden // heads) ** -0.5)
        return queries, project(prepared, 1, order=[0, 2, 3, 1]), project(prepared, 2, order=[0, 2, 1, 3])

    def penalty(self, mask: str) -> str:
        """What scores of keys at padding lose, (batch, 1, 1, sequence): so much that nothing is left of them."""
        kept = self.writer.node("Cast", mask, to=TensorProto.FLOAT)
        one, much = (self.writer.constant(f"number.{value:g}", np.array(value, np.float32)) for value in (1.0, 1e9))
        lost = self.writer.node("Mul", self.writer.node("Sub", kept, one), much)
        return self.writer.node("Unsqueeze", lost, self.writer.integers(1, 2))

    def feed_forward(self, layer: Layer, states: str, *, name: str) -> str:
        """Two linear maps with an activation between."""
        raised = self.activation(self.linear(states, f"{name}.up"), layer.feed_forward.activation)
        return self.linear(raised, f"{name}.down")

    def linear(self, states: str, name: str) -> str:
        """One linear map that shares its input with no other."""
        return self.precision.linear(self.writer, self.precision.prepare(self.writer, states, name), name)

    def norm(self, states: str, name: str, *, eps: float) -> str:
        """Layer normalisation over the last dimension."""
        scale, shift = self._constant(f"{name}.weight"), self._constant(f"{name}.bias")
        return self.writer.node("LayerNormalization", states, scale, shift, axis=-1, epsilon=eps)

    def first(self, values: str) -> str:
        """Each text's first column, kept as a dimension of one."""
        return self.writer.node("Slice", values, *(self.writer.integers(place) for place in (0, 1, 1)))

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

    def dense(self, states: str, name: str, *, output: str | None = None) -> str:
        """A linear map in fp32 of (rows, hidden): for the few rows of a head, where 8 bits would save nothing."""
        weight, bias = self._constant(f"{name}.weight"), self._constant(f"{name}.bias")
        return self.writer.node("Gemm", states, weight, bias, transB=1, output=output)

    def _constant(self, name: str) -> str:
        return self.writer.constant(name, self.weights[name])
