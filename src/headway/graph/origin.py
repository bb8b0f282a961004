"""What an ONNX file was written from, as its notes say; read without loading the model, which may be large.

A graph answers for the weights that it was written from. Where weights stand beside it that are others, or a configuration that
means another model, it is out of date, though nothing else about it is wrong.
"""

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from headway.architecture import ModelConfig
from headway.architecture.family import HeadName
from headway.errors import ConfigError
from headway.families import family
from headway.graph.names import START

HEAD, CONFIG, TOKENIZER, WEIGHTS = "headway.head", "headway.config", "headway.tokenizer", "headway.weights"
SHARED = "headway.shared"
NOTES_FIELD = 14
"""``ModelProto.metadata_props`` in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto: pairs of field 1 and field 2."""

VARINT, COUNTED, FIXED = 0, 2, {1: 8, 5: 4}
"""How a protobuf field is stored: as a number, as a number of bytes and these, or as so many bytes."""


def is_ours(path: Path) -> bool:
    """Whether Headway wrote an ONNX file: its producer's name stands within the first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b"headway" in file.read(START)


def is_current(path: Path, config: ModelConfig, *, head: HeadName, weights: str) -> bool:
    """Whether a graph was written from these ``weights`` (``weights_hash``), with this head, for a model as configured here."""
    found = notes(path)
    if found.get(HEAD) != head or found.get(WEIGHTS) != weights or CONFIG not in found:
        return False
    try:
        exported = _architecture(ModelConfig(json.loads(found[CONFIG])), head)
    except ConfigError:
        return False
    return bool(exported == _architecture(config, head))


def notes(model: Path | bytes) -> Mapping[str, str]:
    """What a file's writer noted about it, or its bytes, as far as they can be read; nothing of what is no ONNX file."""
    size = len(model) if isinstance(model, bytes) else model.stat().st_size
    with io.BytesIO(model) if isinstance(model, bytes) else model.open("rb") as file:
        entries = [entry for _, entry in _fields(file, size, only=NOTES_FIELD)]
    pairs = [dict(_fields(io.BytesIO(entry), len(entry))) for entry in entries]
    return {pair[1].decode("utf-8", "replace"): pair.get(2, b"").decode("utf-8", "replace") for pair in pairs if 1 in pair}


def _architecture(config: ModelConfig, head: HeadName) -> Any:
    found = family(config.model_type)
    return found.architecture(found.known(config), head)


def _fields(file: BinaryIO, size: int, *, only: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The fields with a counted number of bytes, by number, of a protobuf message of this size; ends where it makes no sense."""
    while (tag := _varint(file)) is not None:
        number, kind = tag >> 3, tag & 7
        if kind not in (VARINT, COUNTED, *FIXED):
            return
        length = FIXED[kind] if kind in FIXED else _varint(file)
        if length is None or (kind != VARINT and file.tell() + length > size):
            return
        if kind == COUNTED and only in (None, number):
            yield number, file.read(length)
        elif kind != VARINT:
            file.seek(length, io.SEEK_CUR)


def _varint(file: BinaryIO) -> int | None:
    """A whole number of seven bits a byte, the lowest first; None at the end of the file."""
    value = 0
    for place in range(10):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:
            return value
    return None
