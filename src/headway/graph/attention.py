"""Self-attention as ONNX operators, with every kind of position.

- Queries, keys and values are three products that share one prepared input: a fused product would have to be split again.
- Attention is written out: the fused MultiHeadAttention takes a little longer. Queries' weights carry the scale of the scores.
- Where only the first token's state is read, the last layer asks for that token alone: the others serve as keys and values.
- A window is a mask where all texts are short, and otherwise blocks of tokens in the place of texts (``bands``).

Shapes: queries, keys and values (batch, heads, sequence, size), scores (batch, heads, queries, keys). With ``first_only`` there
is one query a text.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from headway.architecture import BucketBias, Disentangled, Rotary, SelfAttention
from headway.graph import relative, rotary
from headway.graph.bands import BandWriter
from headway.graph.inputs import Inputs
from headway.graph.parts import PartWriter

HEADS_FIRST, CHANNELS_FIRST = [0, 2, 1, 3], [0, 2, 3, 1]
TRANSPOSED = [0, 1, 3, 2]


@dataclass(frozen=True)
class AttentionWriter:
    """Writes the attention of the layer whose weights have this name; ``long``: texts may be far longer than a window."""

    parts: PartWriter
    inputs: Inputs
    attention: SelfAttention
    name: str
    first_only: bool
    long: bool

    def write(self, states: str) -> str:
        """What attention adds to the states: (batch, sequence, hidden), with ``first_only`` (batch, 1, hidden)."""
        write = self.parts.writer.node
        scores = self.scores(states)
        mixed = write("MatMul", write("Softmax", scores, axis=-1), self.heads(states, 2, order=HEADS_FIRST))
        joined = write("Reshape", write("Transpose", mixed, perm=HEADS_FIRST), self.parts.writer.integers(0, 0, -1))
        return self.parts.linear(joined if self.band is None else self.band.joined(joined), f"{self.name}.out")

    def scores(self, states: str) -> str:
        """How much each query wants of each key, before the softmax."""
        write = self.parts.writer.node
        queries = self.queries(states)
        keys, transposed = self.keys(states)
        scores = write("MatMul", queries, transposed)
        for term in self.terms(queries, keys):
            scores = write("Add", scores, term)
        return scores

    def queries(self, states: str) -> str:
        """The queries, scaled as the scores shall be. The first token's is not turned: its angle is zero."""
        asking = self.parts.first(states) if self.first_only else states
        factor = (self.size * relative.term_count(self.attention)) ** -0.5
        turned = None if self.first_only else self.rotary
        return self.heads(asking, 0, order=HEADS_FIRST, factor=factor, turned=turned)

    def keys(self, states: str) -> tuple[str, str]:
        """The keys as queries are, ``""`` where nobody reads them so, and with their channels before their tokens."""
        write, positions = self.parts.writer.node, self.attention.positions
        if isinstance(positions, Disentangled) or (self.rotary is not None and self.parts.portable and self.band is None):
            keys = self.heads(states, 1, order=HEADS_FIRST, turned=self.rotary)
            return keys, write("Transpose", keys, perm=TRANSPOSED)
        return "", self.heads(states, 1, order=CHANNELS_FIRST, turned=self.rotary)

    def terms(self, queries: str, keys: str) -> Iterator[str]:
        """What is added to the scores: positions, and what hides padding and what is outside the window."""
        positions = self.attention.positions
        if self.band is None:
            penalty = self.inputs.penalty(window=self.attention.window, first_only=self.first_only)
        else:
            penalty = self.band.penalty()
        match positions:
            case BucketBias():
                bias = relative.bucket_bias(self.parts, self.inputs, positions, first_only=self.first_only)
                yield self.parts.writer.node("Add", bias, penalty)
            case Disentangled():
                table = relative.DisentangledWriter(self.parts, self.inputs, positions, self.name, self.attention.num_heads)
                yield from table.first_scores(queries, keys) if self.first_only else table.scores(queries, keys)
                yield penalty
            case _:
                yield penalty

    def heads(self, states: str, index: int, *, order: list[int], factor: float = 1.0, turned: Rotary | None = None) -> str:
        """The queries (0), keys (1) or values (2) of all heads, in this order of dimensions."""
        writer, hidden = self.parts.writer, self.hidden
        part = slice(index * hidden, (index + 1) * hidden)
        flat = self.parts.linear(states, f"{self.name}.qkv", part=part, factor=factor)
        if turned is not None and not self.parts.portable:
            flat = rotary.turned_together(self.parts, flat, self.inputs, turned, heads=self.attention.num_heads, size=self.size)
        if self.band is not None:
            return self.heads_of_blocks(flat, self.band, index, order=order, turned=turned)
        split = writer.node("Reshape", flat, writer.integers(0, 0, self.attention.num_heads, self.size))
        found = writer.node("Transpose", split, perm=order)
        if turned is not None and self.parts.portable:
            return rotary.turned(self.parts, found, self.inputs, turned, size=self.size)
        return found

    def heads_of_blocks(self, flat: str, band: BandWriter, index: int, *, order: list[int], turned: Rotary | None) -> str:
        """The same for each block: its own queries, or the keys and values that it sees."""
        writer, heads = self.parts.writer, self.attention.num_heads
        if turned is not None and self.parts.portable:
            split = writer.node("Reshape", flat, writer.integers(0, 0, heads, self.size))
            split = rotary.turned(self.parts, split, self.inputs, turned, size=self.size, heads_last=True)
            flat = writer.node("Reshape", split, writer.integers(0, 0, -1))
        blocks = band.queries(flat) if index == 0 else band.near(flat)
        return writer.node("Transpose", writer.node("Reshape", blocks, writer.integers(0, 0, heads, self.size)), perm=order)

    @property
    def band(self) -> BandWriter | None:
        """The blocks in which queries meet the keys within their window; a lone query meets all, which costs little."""
        window, plain = self.attention.window, self.attention.positions is None or self.rotary is not None
        return BandWriter(self.inputs, window) if window and plain and self.long and not self.first_only else None

    @property
    def rotary(self) -> Rotary | None:
        """The angles by which queries and keys are turned."""
        return self.attention.positions if isinstance(self.attention.positions, Rotary) else None

    @property
    def hidden(self) -> int:
        """The channels of all heads."""
        return int(self.parts.weights[f"{self.name}.out.weight"].shape[0])

    @property
    def size(self) -> int:
        """The channels of one head."""
        return self.hidden // self.attention.num_heads
