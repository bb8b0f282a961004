"""SentencePiece files made by hand, byte by byte, so that tests need no other package to write one."""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)

FRAME = (("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL))
"""The first pieces of XLM-RoBERTa's and CamemBERT's files."""


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, value: Any) -> bytes:
    """A number as a varint, a float in four bytes, text and bytes with their length."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def piece(text: str | bytes, score: float = 0.0, kind: int = NORMAL) -> bytes:
    """As SentencePiece writes it: what is usual is left out."""
    return field(1, field(1, text) + field(2, score) + (field(3, kind) if kind != NORMAL else b""))


def message(fields: Mapping[int, Any]) -> bytes:
    return b"".join(field(number, value) for number, value in fields.items())


def spm(
    pieces: Iterable[tuple[str, float, int]],
    *,
    trainer: Mapping[int, Any] | None = None,
    normalizer: Mapping[int, Any] | None = None,
) -> bytes:
    """A file with these pieces. Trainer: 3 algorithm, 22 splits at spaces, 24 spaces last, 40 unknown id; normaliser: 2
    character map, 3 dummy prefix, 4 removes extra spaces, 5 escapes spaces."""
    return b"".join(piece(*each) for each in pieces) + field(2, message(trainer or {})) + field(3, message(normalizer or {}))


def character_map(rules: Mapping[str, str]) -> bytes:
    """A compiled normalisation: a double array with a block of 256 units for each prefix of a rule, and the replacements."""
    prefixes = sorted({key.encode()[:length] for key in rules for length in range(len(key.encode()) + 1)})
    base = {prefix: 256 * (at + 1) for at, prefix in enumerate(prefixes)}
    units = [0xFF] * (256 * (len(prefixes) + 1))  # unused: the label is no byte of a text
    place = {b"": 0, **{prefix: base[prefix[:-1]] ^ prefix[-1] for prefix in prefixes if prefix}}
    blob = b""
    for prefix in prefixes:
        here = place[prefix]
        is_whole = prefix.decode(errors="replace") in rules and bool(prefix)
        units[here] = (here ^ base[prefix]) << 10 | is_whole << 8 | (prefix[-1] if prefix else 0)
        if is_whole:
            units[base[prefix]] = 1 << 31 | len(blob)
            blob += rules[prefix.decode()].encode() + b"\0"
    packed = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(packed)) + packed + blob
