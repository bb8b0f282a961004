"""Whether this processor adds 8-bit products without loss, and which graphs depend on that.

x86 processors without VNNI (before 2019 from Intel, before 2022 from AMD) add pairs of products of an unsigned and a signed 8-bit
number in 16 bits, and clip what does not fit: scores then differ from those of other machines by several per cent. Products of
unsigned numbers alone are added in 32 bits there. With VNNI both are right and the signed ones are twice as fast, so graphs
are written with signed weights, and read with unsigned ones where they must be (``unsigned``).
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnxruntime

from headway.graph.names import PRECISION, PRODUCTS, UNSIGNED
from headway.graph.origin import notes

PAIR = 2 * 255 * 127
"""The largest sum of two products of an unsigned and a signed 8-bit number; 16 bits hold half of it."""


@cache
def sums_are_clipped() -> bool:
    """Whether ONNX Runtime's sums of such products are wrong here: it is asked for the largest one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(_largest_pair(), options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"a": np.full((8, 64), 255, np.uint8)})
    return bool(np.any(found != 32 * PAIR))


def is_clipped(model: Path | bytes) -> bool:
    """Whether a graph of Headway's multiplies signed 8-bit weights, and this processor clips what it adds up."""
    said = notes(model) if isinstance(model, bytes) or model.is_file() else {}
    return said.get(PRECISION) == "int8" and said.get(PRODUCTS) != UNSIGNED and sums_are_clipped()


def exact(model: Path | bytes, *, shared: Mapping[str, np.ndarray] = MappingProxyType({})) -> Path | bytes:
    """The same graph in the form that this processor adds up without loss; ``shared`` are the constants that others hold."""
    if not is_clipped(model):
        return model
    from headway.graph.unsigned import unsigned_graph

    return unsigned_graph(model, shared=shared)


def _largest_pair() -> bytes:
    """An ONNX model that multiplies ``a``, (8, 64), by weights of 127, (64, 16).

    It is written byte by byte, because importing onnx would take longer than all the rest. The numbers of the fields are those of
    https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
    """
    weights = _field(1, 64) + _field(1, 16) + _field(2, 3) + _field(8, b"b") + _field(9, bytes([127]) * 64 * 16)
    node = _field(1, b"a") + _field(1, b"b") + _field(2, b"y") + _field(4, b"MatMulInteger")
    values = _field(11, _value(b"a", 2, 8, 64)) + _field(12, _value(b"y", 6, 8, 16))
    graph = _field(1, node) + _field(2, b"pair") + _field(5, weights) + values
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


def _value(name: bytes, kind: int, *sizes: int) -> bytes:
    shape = b"".join(_field(1, _field(1, size)) for size in sizes)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def _field(number: int, value: int | bytes) -> bytes:
    """A field of a protobuf message: a number, or bytes after their count."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
