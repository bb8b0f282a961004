"""A SentencePiece model file: its pieces, and how it treats a text. Read without the ``sentencepiece`` package.

The file is one protocol-buffer message (sentencepiece_model.proto of github.com/google/sentencepiece). All that is read is
checked, so that a damaged or hostile file ends in a ``TokenizerError``; fields that are not read are passed over.
"""

import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.errors import TokenizerError
from headway.text.character_map import fault_in

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
SIZES = {FIXED64: 8, FIXED32: 4}
LONGEST_VARINT = 10

# The fields that are read, with the wire type of each.
MODEL = {1: BYTES, 2: BYTES, 3: BYTES}
PIECE = {1: BYTES, 2: FIXED32, 3: VARINT}
TRAINER = {3: VARINT, 22: VARINT, 24: VARINT, 40: VARINT}
NORMALIZER = {2: BYTES, 3: VARINT, 4: VARINT, 5: VARINT}

# A piece's first byte, the byte before its score, and how many bytes there are around its text.
TEXT, SCORE, AROUND = 1 << 3 | BYTES, 2 << 3 | FIXED32, 7
FLOAT = struct.Struct("<f")

ALGORITHMS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
KINDS = NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)


@dataclass(frozen=True, kw_only=True)
class SentencePieceModel:
    """What a file says. Pieces are numbered from 0 on; scores and kinds go with them."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    kinds: tuple[int, ...]
    """What each piece is: ``NORMAL``, ``UNKNOWN``, ``CONTROL``, ``USER_DEFINED``, ``UNUSED`` or ``BYTE``."""
    algorithm: str
    """``unigram``, ``bpe``, ``word`` or ``char``."""
    unknown_id: int
    character_map: bytes
    """The compiled normalisation; empty where there is none."""
    has_dummy_prefix: bool
    """Whether a space is put before a text."""
    removes_extra_spaces: bool
    """Whether spaces at the ends of a text go, and several in a row become one."""
    escapes_spaces: bool
    """Whether a space is written ``▁`` in the pieces."""
    splits_at_spaces: bool
    """Whether no piece reaches over a space."""
    puts_spaces_last: bool
    """Whether a piece holds the space that comes after a word, not the one before it."""


class DamagedError(ValueError):
    """What is wrong with some bytes; whoever knows the file's name says the rest."""


def read_sentencepiece(path: Path) -> SentencePieceModel:
    """The model in a file such as ``spm.model``, ``sentencepiece.bpe.model`` or ``spiece.model``."""
    try:
        return parse_sentencepiece(path.read_bytes())
    except DamagedError as error:
        raise TokenizerError(
            f"{path} is not a SentencePiece model that can be read: {error}. Download or save the tokenizer again."
        ) from error


def parse_sentencepiece(data: bytes) -> SentencePieceModel:
    """The model in a file's bytes; a ``DamagedError`` says why they are none."""
    pieces: list[tuple[str, float, int]] = []
    parts: dict[int, list[bytes]] = {2: [], 3: []}
    for number, value in fields(data, MODEL):
        if number == 1:
            pieces.append(_piece(value))
        else:
            parts[number].append(value)
    _check(pieces)
    # A message in several parts is their bytes in a row.
    trainer, normalizer = dict(fields(b"".join(parts[2]), TRAINER)), dict(fields(b"".join(parts[3]), NORMALIZER))
    texts, scores, kinds = zip(*pieces, strict=True)
    model = SentencePieceModel(
        pieces=texts,
        scores=scores,
        kinds=kinds,
        algorithm=_algorithm(trainer.get(3, 1)),
        unknown_id=trainer.get(40, 0),
        character_map=normalizer.get(2, b""),
        has_dummy_prefix=bool(normalizer.get(3, True)),
        removes_extra_spaces=bool(normalizer.get(4, True)),
        escapes_spaces=bool(normalizer.get(5, True)),
        splits_at_spaces=bool(trainer.get(22, True)),
        puts_spaces_last=bool(trainer.get(24, False)),
    )
    if model.unknown_id >= len(pieces) or kinds[model.unknown_id] != UNKNOWN:
        raise DamagedError(f"piece {model.unknown_id}, which should stand for unknown text, is not there or something else")
    if model.character_map and (fault := fault_in(model.character_map)):
        raise DamagedError(fault)
    return model


def fields(data: bytes, known: Mapping[int, int]) -> Iterator[tuple[int, Any]]:
    """The fields of a message by number, in order; those not ``known`` are passed over. Bytes, or a number for a varint."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        value: int | bytes
        if wire == VARINT:
            value, position = _varint(data, position)
        else:
            size, position = _varint(data, position) if wire == BYTES else (SIZES.get(wire), position)
            if size is None or not number:
                raise DamagedError(f"byte {position} starts nothing that a protocol buffer can hold")
            value = data[position : position + size]
            position += size
            if position > len(data):
                raise DamagedError(f"a field of {size:,} bytes reaches beyond the end")
        if number in known:
            if known[number] != wire:
                raise DamagedError(f"field {number} is of wire type {wire}, not {known[number]}")
            yield number, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number, and where the next thing starts."""
    if position < len(data) and data[position] < 0x80:  # as nearly all are
        return data[position], position + 1
    value = 0
    for shift, byte in enumerate(data[position : position + LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, position + shift + 1
    raise DamagedError(f"the number at byte {position} does not end")


def _piece(data: bytes) -> tuple[str, float, int]:
    size = len(data)
    try:
        if size > AROUND and data[0] == TEXT and data[1] == size - AROUND < 0x80 and data[-5] == SCORE:  # as nearly all are
            return data[2:-5].decode("utf-8"), FLOAT.unpack_from(data, size - 4)[0], NORMAL
        found = dict(fields(data, PIECE))
        return found.get(1, b"").decode("utf-8"), FLOAT.unpack(found.get(2, bytes(4)))[0], found.get(3, NORMAL)
    except UnicodeDecodeError as error:
        raise DamagedError(f"a piece is not UTF-8 ({error})") from error


def _check(pieces: list[tuple[str, float, int]]) -> None:
    if not pieces:
        raise DamagedError("it holds no pieces")
    for index, (text, score, kind) in enumerate(pieces):
        if not text or not math.isfinite(score) or kind not in KINDS:
            raise DamagedError(f"piece {index} is {text!r} of kind {kind} with score {score}")
    twice = [text for text, count in Counter(text for text, _, _ in pieces).items() if count > 1]
    if twice:
        raise DamagedError(f"it holds {len(twice)} pieces more than once, such as {twice[0]!r}")


def _algorithm(number: int) -> str:
    if number not in ALGORITHMS:
        raise DamagedError(f"its algorithm has the number {number}, which is none")
    return ALGORITHMS[number]
