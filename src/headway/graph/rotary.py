"""Queries and keys turned by angles that grow with their places (Su et al., 2021, arXiv:2104.09864)."""

import numpy as np
from onnx import TensorProto

from headway.architecture import Rotary
from headway.graph.inputs import Inputs
from headway.graph.parts import PartWriter


def turned_together(parts: PartWriter, flat: str, inputs: Inputs, rotary: Rotary, *, heads: int, size: int) -> str:
    """All heads at once by ONNX Runtime's own operator, (batch, sequence, heads * size); it takes half the time of ``turned``."""
    start = parts.writer.integers(0)
    return parts.writer.node("RotaryEmbedding", flat, start, *_tables(parts, inputs, rotary, size), num_heads=heads)


def turned(parts: PartWriter, split: str, inputs: Inputs, rotary: Rotary, *, size: int, heads_last: bool = False) -> str:
    """The same by standard operators: the first half of the channels turns with the second.

    The shape is (batch, heads, sequence, size), with ``heads_last`` (batch, sequence, heads, size).
    """
    write = parts.writer.node
    cosines, sines = _tables(parts, inputs, rotary, size)
    if heads_last:
        cosines, sines = (write("Unsqueeze", table, parts.writer.integers(1)) for table in (cosines, sines))
    one, other = parts.writer.nodes("Split", split, count=2, axis=-1, num_outputs=2)
    first = write("Sub", write("Mul", one, cosines), write("Mul", other, sines))
    second = write("Add", write("Mul", other, cosines), write("Mul", one, sines))
    return write("Concat", first, second, axis=-1)


def _tables(parts: PartWriter, inputs: Inputs, rotary: Rotary, size: int) -> tuple[str, str]:
    """Cosines and sines of the angles, (sequence, size / 2), shared by all layers."""
    write = parts.writer.node
    speeds = (1.0 / rotary.theta ** (np.arange(0, size, 2, dtype=np.float32) / np.float32(size))).astype(np.float32)
    places = write("Unsqueeze", write("Cast", inputs.places(), to=TensorProto.FLOAT), parts.writer.integers(1))
    angles = write("Mul", places, parts.writer.constant(f"rotary.{rotary.theta!r}", speeds))
    return write("Cos", angles), write("Sin", angles)
