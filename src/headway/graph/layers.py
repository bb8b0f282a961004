"""The encoder as ONNX operators, chosen for speed on ONNX Runtime's CPU kernels; docs/int8.md has the measurements."""

from headway.architecture import Convolution, Encoder, Layer
from headway.graph.attention import AttentionWriter
from headway.graph.embeddings import write_embeddings
from headway.graph.inputs import Inputs
from headway.graph.parts import PartWriter

LONG = 512
"""Models for longer texts than this have windowed layers in blocks of tokens (``bands``).

Of the time with masks they take, in INT8 with six layers of 384 channels, 0.39 at 2048 tokens, 0.85 at 512, 1.02 up to 256.
"""


def write_encoder(parts: PartWriter, encoder: Encoder, inputs: Inputs, *, first_only: bool) -> str:
    """The last layer's states; with ``first_only`` those of each text's first token alone, (batch, 1, hidden)."""
    embedded = states = write_embeddings(parts, encoder.embeddings, inputs)
    for step, number in enumerate(encoder.steps):
        last = step == len(encoder.steps) - 1
        shape = {"first_only": first_only and last, "long": encoder.max_tokens > LONG}
        writer = LayerWriter(parts, encoder.layers[number], f"layers.{number}", **shape)
        states = writer.write(states, inputs)
        if step == 0 and encoder.convolution is not None:
            found = write_convolution(parts, encoder.convolution, embedded, inputs)
            added = parts.writer.node("Add", states, parts.first(found) if writer.first_only else found)
            states = parts.norm(added, "convolution.norm", encoder.convolution.norm)
    return parts.norm(states, "final_norm", encoder.final_norm)


class LayerWriter:
    """Writes one layer: attention and feed-forward, each added to what it read, normalised before or after."""

    def __init__(self, parts: PartWriter, layer: Layer, name: str, *, first_only: bool, long: bool) -> None:
        self.parts = parts
        self.layer = layer
        self.name = name
        self.first_only = first_only
        self.long = long

    def write(self, states: str, inputs: Inputs) -> str:
        """The layer's states from those before it."""
        add, layer = self.parts.writer.node, self.layer
        attention = AttentionWriter(
            self.parts, inputs, layer.attention, f"{self.name}.attention", first_only=self.first_only, long=self.long
        )
        if layer.norm_first:
            mixed = attention.write(self.norm(states, "attention_norm"))
            states = add("Add", self.kept(states), mixed)
            return add("Add", states, self.feed_forward(self.norm(states, "feed_forward_norm")))
        states = self.norm(add("Add", self.kept(states), attention.write(states)), "attention_norm")
        return self.norm(add("Add", states, self.feed_forward(states)), "feed_forward_norm")

    def norm(self, states: str, which: str) -> str:
        """One of the layer's two normalisations, if it has that."""
        parts = self.layer.attention_norm if which == "attention_norm" else self.layer.feed_forward_norm
        return self.parts.norm(states, f"{self.name}.{which}", parts)

    def kept(self, states: str) -> str:
        """The states that attention is added to."""
        return self.parts.first(states) if self.first_only else states

    def feed_forward(self, states: str) -> str:
        """Two linear maps with an activation between; a gate is a map of its own, so that nothing has to be split."""
        name, found = f"{self.name}.feed_forward", self.layer.feed_forward
        if not found.gated:
            raised = self.parts.activation(self.parts.linear(states, f"{name}.up"), found.activation)
            return self.parts.linear(raised, f"{name}.down")
        width = found.intermediate_size
        opened = self.parts.activation(self.parts.linear(states, f"{name}.up", part=slice(width)), found.activation)
        gate = self.parts.linear(states, f"{name}.up", part=slice(width, 2 * width))
        return self.parts.linear(self.parts.writer.node("Mul", opened, gate), f"{name}.down")


def write_convolution(parts: PartWriter, convolution: Convolution, states: str, inputs: Inputs) -> str:
    """The activated convolution over each text's embedded tokens: padding reads as zeros, as does what lies beyond the ends."""
    write, edge = parts.writer.node, (convolution.kernel_size - 1) // 2
    real = write("Mul", states, write("Unsqueeze", inputs.kept, parts.writer.integers(-1)))
    terms = [write("Transpose", real, perm=[0, 2, 1]), *map(parts.constant, ("convolution.conv.weight", "convolution.conv.bias"))]
    mixed = write("Conv", *terms, group=convolution.groups, pads=[edge, edge])
    return parts.activation(write("Transpose", mixed, perm=[0, 2, 1]), convolution.activation)
