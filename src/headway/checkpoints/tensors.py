"""A safetensors file read lazily: names and shapes from its header, each array from the mapped file when it is asked for.

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

from headway.errors import WeightError

MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors library
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """One tensor in a file: calling it reads it as float32."""

    name: str
    path: Path
    kind: str
    shape: tuple[int, ...]
    content: np.ndarray

    def __call__(self) -> np.ndarray:
        """The values as float32; half precision is widened exactly, double precision rounded."""
        if self.kind == "BF16":
            wide = self.content.view("<u2").astype(np.uint32) << 16
            return wide.view(np.float32).reshape(self.shape)
        if self.kind not in FLOATS:
            raise WeightError(
                f"{self.name} in {self.path} is stored as {self.kind}, but a weight is a floating-point number. "
                "This may be a quantised checkpoint: use the original one."
            )
        values = self.content.view(FLOATS[self.kind]).reshape(self.shape)
        return values if values.flags.aligned and values.dtype == np.float32 else values.astype(np.float32)


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file by name, none of them read yet."""
    try:
        content = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    except (OSError, ValueError) as error:
        raise _damaged(path, f"it cannot be opened ({error})") from error
    start, header = _header(path, content)
    return {name: _tensor(path, name, entry, content[start:]) for name, entry in header.items() if name != "__metadata__"}


def _header(path: Path, content: np.ndarray) -> tuple[int, Mapping[str, Any]]:
    """Where the data begin, and the header."""
    length = int.from_bytes(content[:8].tobytes(), "little")
    if len(content) < 8 or length > min(len(content) - 8, MAX_HEADER_BYTES):
        raise _damaged(path, f"its {len(content):,} bytes end before the header does")
    try:
        header = json.loads(content[8 : 8 + length].tobytes().decode("utf-8"))
    except ValueError as error:
        raise _damaged(path, f"its header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise _damaged(path, f"its header is a JSON {type(header).__name__}, not an object")
    return 8 + length, header


def _tensor(path: Path, name: str, entry: Any, data: np.ndarray) -> StoredTensor:
    try:
        kind, shape, (start, stop) = str(entry["dtype"]), tuple(entry["shape"]), entry["data_offsets"]
        whole = all(isinstance(number, int) and number >= 0 for number in (*shape, start, stop))
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"its header describes {name!r} as {entry!r}") from error
    if not whole or stop < start:
        raise _damaged(path, f"its header describes {name!r} as {entry!r}")
    if stop > len(data):
        raise _damaged(path, f"{name!r} should end at byte {stop:,} of the data, but there are only {len(data):,}")
    if kind in ITEM_BYTES and math.prod(shape) * ITEM_BYTES[kind] != stop - start:
        raise _damaged(path, f"{name!r} of type {kind} and shape {shape} does not fit its {stop - start:,} bytes")
    return StoredTensor(name, path, kind, shape, data[start:stop])


def _damaged(path: Path, reason: str) -> WeightError:
    return WeightError(
        f"{path} is not a whole safetensors file: {reason}. It may be truncated or damaged: download or save it again."
    )
