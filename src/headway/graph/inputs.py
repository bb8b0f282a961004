"""What a graph reads, and what all layers need of it: how long texts are, where their tokens stand, which are padding."""

from dataclasses import dataclass

from onnx import TensorProto

from headway.graph.writer import GraphWriter

MUCH = 1e9
"""What the score of a key that is not to be seen loses: so much that nothing is left of it."""


@dataclass(frozen=True)
class Inputs:
    """The inputs by their values' names, (batch, sequence), and what follows from them. ``types`` is "" where there are none."""

    writer: GraphWriter
    ids: str
    mask: str
    types: str

    @property
    def length(self) -> str:
        """How many columns there are, (1,)."""
        return self.writer.node("Slice", self.writer.node("Shape", self.ids), self.writer.integers(1), self.writer.integers(2))

    def places(self, *, first_only: bool = False) -> str:
        """The columns' numbers from 0 on, (sequence,); with ``first_only`` that of the first alone, (1,)."""
        if first_only:
            return self.writer.integers(0)
        return self.range("0", "length")

    def range(self, start: str, stop: str, *, step: int = 1) -> str:
        """Whole numbers from one bound up to another, each of which is ``0``, ``length`` or ``-length``."""
        length = self.writer.node("Squeeze", self.length)
        bounds = {"0": self.writer.integer(0), "length": length}
        if "-length" in (start, stop):
            bounds["-length"] = self.writer.node("Neg", length)
        return self.writer.node("Range", bounds[start], bounds[stop], self.writer.integer(step))

    @property
    def kept(self) -> str:
        """1.0 for real tokens and 0.0 for padding, (batch, sequence)."""
        return self.writer.node("Cast", self.mask, to=TensorProto.FLOAT)

    def penalty(self, *, window: int | None = None, first_only: bool = False) -> str:
        """What scores lose for keys at padding, (batch, 1, 1, sequence), or outside a window, (batch, 1, queries, sequence)."""
        lost = self.writer.node("Sub", self.kept, self.writer.number(1.0))
        padding = self.writer.node("Unsqueeze", self.much(lost), self.writer.integers(1, 2))
        if window is None:
            return padding
        far = self.writer.node(
            "Greater", self.writer.node("Abs", self.distances(first_only=first_only)), self.writer.integer(window)
        )
        unseen = self.writer.node("Neg", self.writer.node("Cast", far, to=TensorProto.FLOAT))
        return self.writer.node("Add", padding, self.much(unseen))

    def distances(self, *, first_only: bool) -> str:
        """Each query's place less each key's, (queries, sequence)."""
        queries = self.writer.node("Unsqueeze", self.places(first_only=first_only), self.writer.integers(1))
        return self.writer.node("Sub", queries, self.places())

    def much(self, unseen: str) -> str:
        """What scores lose for keys that are not to be seen, from -1 for these and 0 for the others."""
        return self.writer.node("Mul", unseen, self.writer.number(MUCH))
