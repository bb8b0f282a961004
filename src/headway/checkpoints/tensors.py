"""Tensors in files, read lazily; and safetensors files: names and shapes from the header, arrays from the mapped file.

The format: eight bytes with the header's length, a JSON header that gives each tensor's type, shape and place, then the data.
The library's NumPy reader copies every array and does not know bfloat16 in all its versions; float32 arrays here are read-only
views of the file.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headway.checkpoints.mapped import MappedFile, let_go, map_file
from headway.core.arrays import new_array
from headway.errors import WeightError

MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors library
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = {"F64": "f8", "F32": "f4", "F16": "f2"}
INTEGERS = {"I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1", "U8": "u1"}


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """One tensor in a file: calling it reads it as float32.

    ``content`` are the bytes from its first element to its last. They lie one after the other, or ``strides`` elements apart;
    ``order`` is that of the bytes in a number, as NumPy writes it.
    """

    name: str
    path: Path
    kind: str
    shape: tuple[int, ...]
    content: np.ndarray
    strides: tuple[int, ...] | None = None
    order: str = "<"

    def __call__(self) -> np.ndarray:
        """The values as float32; half precision is widened exactly, double precision rounded."""
        if self.kind == "BF16":
            found = new_array(self.shape)
            np.left_shift(self._numbers("u2"), 16, out=found.view(np.uint32), dtype=np.uint32)
            return found
        if self.kind not in FLOATS:
            raise WeightError(
                f"{self.name} in {self.path} is stored as {self.kind}, but a weight is a floating-point number. "
                "This may be a quantised checkpoint: use the original one."
            )
        values = self._numbers(FLOATS[self.kind])
        if values.flags.c_contiguous and values.dtype == np.float32:
            return values
        found = new_array(self.shape)
        try:
            with np.errstate(over="raise", invalid="ignore"):
                np.copyto(found, values, casting="same_kind")
        except FloatingPointError as error:
            raise WeightError(
                f"{self.name} in {self.path} has numbers beyond float32, which no weight has. The file is damaged, or was "
                "trained into infinity: use another checkpoint."
            ) from error
        return found

    def as_stored(self) -> np.ndarray:
        """The numbers of the file as they are, read-only; those that NumPy does not have are refused."""
        kinds = FLOATS | INTEGERS
        if self.kind not in kinds:
            raise WeightError(f"{self.name} in {self.path} is stored as {self.kind}, which NumPy cannot show. Export it again.")
        return self._numbers(kinds[self.kind])

    def let_go(self, *, unless_in: np.ndarray) -> None:
        """Give the memory of the file's bytes back, unless an array looks at them: it would hold them beside their copy."""
        if not np.may_share_memory(unless_in, self.content):
            let_go(self.content)

    def _numbers(self, kind: str) -> np.ndarray:
        """The tensor with its shape: a view of the file, or of a copy where a file has numbers at odd places, as streams have."""
        flat = self.content.view(self.order + kind)
        if not flat.flags.aligned:
            aligned = new_array(len(self.content), np.uint8)
            aligned[:] = self.content  # faster by far than reading odd places number by number
            flat = aligned.view(self.order + kind)
        if self.strides is None:
            return flat.reshape(self.shape)
        if math.prod(self.shape) > len(flat):
            raise WeightError(
                f"{self.name} in {self.path} repeats {len(flat):,} stored numbers to fill the shape {self.shape}, which no "
                "weight does. Save the weight itself: weight.contiguous()."
            )
        steps = [step * flat.itemsize if size > 1 else 0 for size, step in zip(self.shape, self.strides, strict=True)]
        return np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False)


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray], *, kind: str) -> None:
    """Write float32 arrays as numbers of a kind, one after the other: no second copy of the model is ever in memory."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # without it transformers refuses the file
    stop = 0
    for name in sorted(arrays):
        start, stop = stop, stop + arrays[name].size * ITEM_BYTES[kind]
        header[name] = {"dtype": kind, "shape": list(arrays[name].shape), "data_offsets": [start, stop]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(arrays):
            file.write(_numbers(name, arrays[name], kind).data)


def _numbers(name: str, array: np.ndarray, kind: str) -> np.ndarray:
    """An array as it stands in a file; half precision is rounded to the nearest, as torch does."""
    array = np.ascontiguousarray(array, dtype="<f4")
    if kind == "BF16":
        bits = array.view("<u4")
        rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
        return np.where(np.isnan(array), 0x7FC0, rounded).astype("<u2")
    if kind == "F16":
        with np.errstate(over="ignore"):
            half = array.astype("<f2")
        if not np.isfinite(half).all() and np.isfinite(array).all():
            raise WeightError(
                f"{name} has numbers as large as {np.abs(array).max():.3g}, beyond the {np.finfo('f2').max:.0f} that float16 "
                "holds, so it would become infinite. Nothing was saved. Use bfloat16 or float32."
            )
        return half
    return array


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file by name, none of them read yet."""
    file = map_file(path, form="safetensors file")
    start, header = _header(file)
    data = file.content[start:]
    return {name: _tensor(file, name, entry, data) for name, entry in header.items() if name != "__metadata__"}


def data_places(path: Path) -> dict[str, tuple[int, int]]:
    """Where in a file each of its tensors stands: its first byte, and the one past its last."""
    start, header = _header(map_file(path, form="safetensors file"))
    places = {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}
    return {name: (start + first, start + stop) for name, (first, stop) in places.items()}


def _header(file: MappedFile) -> tuple[int, Mapping[str, Any]]:
    """Where the data begin, and the header."""
    content = file.content
    length = int.from_bytes(content[:8].tobytes(), "little")
    if len(content) < 8 or length > min(len(content) - 8, MAX_HEADER_BYTES):
        raise file.damaged(f"its {len(content):,} bytes end before the header does")
    try:
        header = json.loads(content[8 : 8 + length].tobytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise file.damaged(f"its header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise file.damaged(f"its header is a JSON {type(header).__name__}, not an object")
    return 8 + length, header


def _tensor(file: MappedFile, name: str, entry: Any, data: np.ndarray) -> StoredTensor:
    try:
        kind, shape, (start, stop) = str(entry["dtype"]), tuple(entry["shape"]), entry["data_offsets"]
        whole = all(isinstance(number, int) and number >= 0 for number in (*shape, start, stop))
    except (KeyError, TypeError, ValueError) as error:
        raise file.damaged(f"its header describes {name!r} as {entry!r}") from error
    if not whole or stop < start:
        raise file.damaged(f"its header describes {name!r} as {entry!r}")
    if stop > len(data):
        raise file.damaged(f"{name!r} should end at byte {stop:,} of the data, but there are only {len(data):,}")
    if kind in ITEM_BYTES and math.prod(shape) * ITEM_BYTES[kind] != stop - start:
        raise file.damaged(f"{name!r} of type {kind} and shape {shape} does not fit its {stop - start:,} bytes")
    return StoredTensor(name, file.path, kind, shape, data[start:stop])
