"""The encoder as ONNX operators, chosen for speed on ONNX Runtime's CPU kernels; docs/int8.md has the measurements.

- Addition and LayerNormalization stay two operators: the fused SkipLayerNormalization sums in one dependent chain and takes five
  times as long.
- Queries, keys and values are three products that share one prepared input: a fused product would have to be split again.
- MultiHeadAttention takes the padding mask as it is, and works on (batch, sequence, hidden) without transposing outside.
- Where only the first token's state is read, the last layer computes that token alone: the others serve as keys and values.
"""

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
        keep = self.writer.node("Cast", mask, to=TensorProto.INT32)
        for index, layer in enumerate(encoder.layers):
            last = index == len(encoder.layers) - 1
            states = self.layer(layer, states, keep, name=f"layers.{index}", first_only=first_only and last)
        return states

    def embeddings(self, encoder: Encoder, *, ids: str, types: str) -> str:
        """The normalised sum of token, position and token-type vectors. Positions count from the first column."""
        write = self.writer.node
        length = write("Slice", write("Shape", ids), self.writer.integers(1), self.writer.integers(2))
        tokens = self.precision.rows(self.writer, "embeddings.token", ids=ids)
        positions = self.precision.first_rows(self.writer, "embeddings.position", count=length)
        kinds = write("Gather", self._constant("embeddings.token_type.weight"), types)
        summed = write("Add", write("Add", tokens, kinds), positions)
        return self.norm(summed, "embeddings.norm", eps=encoder.embeddings.norm_eps)

    def layer(self, layer: Layer, states: str, keep: str, *, name: str, first_only: bool) -> str:
        """One layer: attention and feed-forward, each added to what it read and normalised."""
        mixed, states = self.attention(layer, states, keep, name=f"{name}.attention", first_only=first_only)
        states = self.norm(self.writer.node("Add", states, mixed), f"{name}.attention_norm", eps=layer.norm_eps)
        changed = self.feed_forward(layer, states, name=f"{name}.feed_forward")
        return self.norm(self.writer.node("Add", states, changed), f"{name}.feed_forward_norm", eps=layer.norm_eps)

    def attention(self, layer: Layer, states: str, keep: str, *, name: str, first_only: bool) -> tuple[str, str]:
        """What attention adds to the states, and those states: with ``first_only`` just each text's first."""
        queries, keys, values = self.projections(states, f"{name}.qkv", first_only=first_only)
        mixed = self.writer.node("MultiHeadAttention", queries, keys, values, "", keep, num_heads=layer.attention.num_heads)
        asking = self.first(states) if first_only else states
        return self.linear(mixed, f"{name}.out"), asking

    def projections(self, states: str, name: str, *, first_only: bool) -> tuple[str, str, str]:
        """Queries, keys and values of the states; with ``first_only`` the query of each text's first alone."""
        hidden = self.weights[f"{name}.weight"].shape[1]
        parts = [slice(start, start + hidden) for start in (0, hidden, 2 * hidden)]
        prepared = self.precision.prepare(self.writer, states, name)
        asking = self.first(prepared) if first_only else prepared
        queries, keys, values = (
            self.precision.linear(self.writer, read, name, part=part)
            for read, part in zip((asking, prepared, prepared), parts, strict=True)
        )
        return queries, keys, values

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
            case "tanh":
                return self.writer.node("Tanh", states, output=output)

    def dense(self, states: str, name: str, *, output: str | None = None) -> str:
        """A linear map in fp32 of (rows, hidden): for the few rows of a head, where 8 bits would save nothing."""
        weight, bias = self._constant(f"{name}.weight"), self._constant(f"{name}.bias")
        return self.writer.node("Gemm", states, weight, bias, transB=1, output=output)

    def _constant(self, name: str) -> str:
        return self.writer.constant(name, self.weights[name])
