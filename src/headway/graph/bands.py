"""Windowed attention in blocks of tokens: queries meet the keys near their block, and not all of their text.

The blocks stand where texts stand otherwise, as rows of the batch, so attention itself is written as ever. The graph decides by
the length that it is given, with numbers alone: a short text is one block that sees itself, a long one is cut into blocks of
``BLOCK`` tokens, each beside as many keys as the window reaches to either side.

Shapes: N blocks of a text, L queries of a block, M keys that a block sees.
"""

from dataclasses import dataclass

from onnx import TensorProto

from headway.graph.inputs import Inputs

BLOCK = 128
"""Queries of a block: with fewer the keys are copied more often, with more there are more keys out of reach."""


@dataclass(frozen=True)
class BandWriter:
    """Writes which tokens stand in which block. All layers with this window share the values."""

    inputs: Inputs
    window: int

    def queries(self, states: str) -> str:
        """Of (batch, sequence, channels) the tokens by blocks, (batch * N, L, channels), filled up with the last token."""
        return self._chosen(states, self._query_places)

    def near(self, states: str) -> str:
        """Of (batch, sequence, channels) the tokens that each block sees, (batch * N, M, channels)."""
        return self._chosen(states, self._key_places)

    def joined(self, blocks: str) -> str:
        """The blocks' tokens as texts again, (batch, sequence, channels)."""
        writer, write = self.inputs.writer, self.inputs.writer.node
        batch = write("Slice", write("Shape", self.inputs.ids), writer.integers(0), writer.integers(1))
        channels = write("Slice", write("Shape", blocks), writer.integers(2), writer.integers(3))
        texts = write("Reshape", blocks, write("Concat", batch, writer.integers(-1), channels, axis=0))
        return write("Slice", texts, writer.integers(0), self.inputs.length, writer.integers(1))

    def penalty(self) -> str:
        """What scores lose for keys outside the window, beyond the text's ends or at padding, (batch * N, 1, L, M)."""
        writer, write = self.inputs.writer, self.inputs.writer.node
        asking = write("Unsqueeze", self._query_places, writer.integers(2))
        asked = write("Unsqueeze", self._key_places, writer.integers(1))
        far = write("Greater", write("Abs", write("Sub", asking, asked)), writer.integer(self.window))
        beyond = write("Not", write("Equal", asked, self._within(asked)))
        unseen = write("Neg", write("Cast", write("Or", far, beyond), to=TensorProto.FLOAT))
        kept = write("Gather", self.inputs.kept, self._within(self._key_places), axis=1)
        padding = write("Unsqueeze", write("Sub", kept, writer.number(1.0)), writer.integers(2))
        lost = self.inputs.much(write("Add", padding, unseen))
        shape = write("Concat", writer.integers(-1, 1), *(self._counted(places) for places in self._both_places), axis=0)
        return write("Reshape", lost, shape)

    def _chosen(self, states: str, places: str) -> str:
        writer, write = self.inputs.writer, self.inputs.writer.node
        chosen = write("Gather", states, self._within(places), axis=1)
        channels = write("Slice", write("Shape", states), writer.integers(2), writer.integers(3))
        return write("Reshape", chosen, write("Concat", writer.integers(-1), self._counted(places), channels, axis=0))

    def _counted(self, places: str) -> str:
        """How many tokens a block has of these, (1,)."""
        writer = self.inputs.writer
        return writer.node("Slice", writer.node("Shape", places), writer.integers(1), writer.integers(2))

    @property
    def _both_places(self) -> tuple[str, str]:
        return self._query_places, self._key_places

    @property
    def _query_places(self) -> str:
        """Where each block's queries stand in their text, (N, L)."""
        return self._places(self.inputs.writer.integer(0), self._block)

    @property
    def _key_places(self) -> str:
        """Where the keys stand that each block sees, (N, M): before the text's beginning, these are negative."""
        write = self.inputs.writer.node
        return self._places(write("Neg", self._reach), write("Add", self._block, self._reach))

    def _places(self, start: str, stop: str) -> str:
        """For each block the places from ``start`` up to ``stop``, counted from its first token."""
        writer, write = self.inputs.writer, self.inputs.writer.node
        firsts = write("Range", writer.integer(0), self._length, self._block)
        return write("Add", write("Unsqueeze", firsts, writer.integers(1)), write("Range", start, stop, writer.integer(1)))

    @property
    def _block(self) -> str:
        """L: a short text's whole length."""
        return self.inputs.writer.node("Where", self._long, self.inputs.writer.integer(BLOCK), self._length)

    @property
    def _reach(self) -> str:
        """How many keys a block sees beyond its ends."""
        writer = self.inputs.writer
        return writer.node("Where", self._long, writer.integer(self.window), writer.integer(0))

    @property
    def _long(self) -> str:
        """Whether a block would see fewer keys than the text has."""
        return self.inputs.writer.node("Greater", self._length, self.inputs.writer.integer(BLOCK + 2 * self.window))

    @property
    def _length(self) -> str:
        return self.inputs.writer.node("Squeeze", self.inputs.length)

    def _within(self, places: str) -> str:
        """Places beyond the text's ends as those of its first and last token."""
        writer = self.inputs.writer
        return writer.node("Clip", places, writer.integer(0), writer.node("Sub", self._length, writer.integer(1)))
