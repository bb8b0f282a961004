"""Tensors as the Open Inference Protocol writes them: in JSON, or as bytes behind it (Triton's extension for binary data).

Texts are BYTES: strings in JSON; in binary each with its length before it, four bytes, the lowest first.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from headway.errors import InputError
from headway.serving.dialects._body import Fields
from headway.tasks import Column
from headway.tasks.table import LABEL

KINDS = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4",
    "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Kinds of numbers with NumPy's names for them."""
DATATYPE_OF = {"text": "BYTES", "number": "FP32", "integer": "INT64", "truth": "BOOL"}
"""A column's kind as the protocol names it."""
SIZE = "binary_data_size"
LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Tensor:
    """Values in the order of rows, without nesting, and how many there are in each dimension."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Any]

    def as_json(self) -> dict[str, Any]:
        """The tensor with its values in JSON."""
        return {"name": self.name, "shape": list(self.shape), "datatype": self.datatype, "data": list(self.values)}

    def as_binary(self) -> tuple[dict[str, Any], bytes]:
        """The tensor's description, and its values as bytes."""
        data = packed(self.values) if self.datatype == "BYTES" else np.array(self.values, KINDS[self.datatype]).tobytes()
        about = {"name": self.name, "shape": list(self.shape), "datatype": self.datatype, "parameters": {SIZE: len(data)}}
        return about, data

    def nested(self) -> Any:
        """The values in lists of lists, as the shape has them."""
        return _nested(list(self.values), self.shape)


def packed(values: Sequence[Any]) -> bytes:
    """Texts as bytes, each after its length."""
    texts = [str(value).encode("utf-8", "replace") for value in values]
    return b"".join(part for text in texts for part in (LENGTH.pack(len(text)), text))


def read_tensor(described: Any, data: bytes) -> tuple[Tensor, bytes]:
    """A request's tensor, from its description and the binary data that is left; and what is left of that behind it."""
    fields = Fields.of(described, "an input")
    name, datatype, shape = fields.text("name"), fields.text("datatype"), _shape(fields)
    if datatype != "BYTES" and datatype not in KINDS:
        raise InputError(
            f"The datatype of {name} is {datatype!r:.30}, which is none of BYTES, {', '.join(KINDS)}. Use one of these."
        )
    size = fields.object("parameters").values.get(SIZE)
    if size is None:
        return Tensor(name, datatype, shape, _from_json(fields, name, datatype, prod(shape))), data
    if type(size) is not int or not 0 <= size <= len(data):
        raise InputError(
            f"{SIZE} of {name} is {size!r:.30}, but {len(data)} bytes are left behind the JSON. Correct one of both."
        )
    return Tensor(name, datatype, shape, _from_bytes(data[:size], name, datatype, prod(shape))), data[size:]


def output_tensors(columns: Sequence[Column], rows: Sequence[dict[str, Any]]) -> list[Tensor]:
    """The answers as tensors, a column each; the first dimension counts the answers.

    Labels with scores are two tensors, (answers, labels). Other records, of which an answer may have any number, are JSON texts.
    """
    return [tensor for column in columns for tensor in _tensors(column, [row[column.name] for row in rows])]


def described(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The names, kinds and shapes of such tensors; -1 for a number that is not known before."""
    found = []
    for column in columns:
        if column.kind == LABEL:
            found += [{"name": one.name, "datatype": DATATYPE_OF[str(one.kind)], "shape": [-1, -1]} for one in LABEL]
        elif isinstance(column.kind, tuple):
            found.append({"name": column.name, "datatype": "BYTES", "shape": [-1]})
        else:
            found.append({"name": column.name, "datatype": DATATYPE_OF[column.kind], "shape": [-1] * (1 + column.depth)})
    return found


def _tensors(column: Column, cells: list[Any]) -> list[Tensor]:
    if column.kind == LABEL:
        inner = [Column(one.name, one.kind, column.depth) for one in LABEL]
        return [_tensor(one, [[record[one.name] for record in cell] for cell in cells]) for one in inner]
    if isinstance(column.kind, tuple):
        return [Tensor(column.name, "BYTES", (len(cells),), [json.dumps(cell) for cell in cells])]
    return [_tensor(column, cells)]


def _tensor(column: Column, cells: list[Any]) -> Tensor:
    shape, values = [len(cells)], cells
    for _ in range(column.depth):
        lengths = {len(value) for value in values}
        if len(lengths) > 1:
            raise InputError(
                f"The answers' {column.name} have the lengths {sorted(lengths)}, and a tensor has one for all. Ask for one text "
                "at a time, or for one vector a text (pooling)."
            )
        shape.append(next(iter(lengths), 0))
        values = [one for value in values for one in value]
    kind = DATATYPE_OF[str(column.kind)]
    return Tensor(column.name, kind, tuple(shape), [_whole(value, kind) for value in values])


def _whole(value: Any, datatype: str) -> Any:
    """A value that a tensor can hold; what is None in a table is not a number, 0 or an empty text."""
    if value is None:
        return {"BYTES": "", "FP32": 0.0, "INT64": 0, "BOOL": False}[datatype]
    return value


def _shape(fields: Fields) -> tuple[int, ...]:
    shape = fields.items("shape")
    if not all(type(length) is int and 0 <= length < 2**31 for length in shape):
        fields.refuse("shape", "a list of whole numbers")
    return tuple(shape)


def _from_json(fields: Fields, name: str, datatype: str, count: int) -> list[Any]:
    values = list(_flat(fields.items("data")))
    if len(values) != count:
        raise InputError(f"{name} has {len(values)} values, but its shape is for {count}. Correct one of both.")
    wanted: tuple[type, ...] = {"BYTES": (str,), "BOOL": (bool, int)}.get(datatype, (int, float))
    if not all(isinstance(value, wanted) for value in values):
        raise InputError(f"{name} holds a value that is no {datatype}. Correct it, or the datatype.")
    return values


def _flat(values: list[Any]) -> Any:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _from_bytes(data: bytes, name: str, datatype: str, count: int) -> list[Any]:
    if datatype == "BYTES":
        values = _unpacked(data, name)
    else:
        kind = np.dtype(KINDS[datatype])
        values = np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind).tolist()
    if len(values) != count or (datatype != "BYTES" and len(data) != count * np.dtype(KINDS[datatype]).itemsize):
        raise InputError(f"{name} has {len(data)} bytes, which are not the {count} values of its shape. Correct one of both.")
    return values


def _unpacked(data: bytes, name: str) -> list[str]:
    values, place = [], 0
    while place < len(data):
        start = place + LENGTH.size
        end = start + LENGTH.unpack_from(data, place)[0] if start <= len(data) else len(data) + 1
        if end > len(data):
            raise InputError(f"The bytes of {name} end within a text. Send each text after its length, four bytes.")
        try:
            values.append(data[start:end].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InputError(f"{name} holds bytes that are no UTF-8: {error.reason} at byte {error.start}. Encode it.") from error
        place = end
    return values


def _nested(values: list[Any], shape: Sequence[int]) -> Any:
    if len(shape) <= 1:
        return values
    step = prod(shape[1:])
    return [_nested(values[place : place + step], shape[1:]) for place in range(0, step * shape[0], step or 1)] if step else []
