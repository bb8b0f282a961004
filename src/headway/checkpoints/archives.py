"""The zip archives of ``torch.save``: where each record lies in the file, so that weights are read in place.

torch compresses nothing, so neither does this reader unpack: a record is a part of the file, no two overlap, and an archive can
never be larger in memory than on the disk.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.checkpoints.mapped import MappedFile

LOCAL_MARK, ENTRY_MARK, END_MARK, END64_MARK, LOCATOR_MARK = (b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7")
LOCAL = struct.Struct("<4s22x2H")  # mark … lengths of name and extra field
ENTRY = struct.Struct("<4s4x2H8x2L3H8xL")  # mark … flags, method … sizes, lengths of name, extra and comment … place
END = struct.Struct("<4s6xH2L2x")  # mark … number of entries, size and place of the directory
END64 = struct.Struct("<4s28x3Q")
LOCATOR = struct.Struct("<4s4xQ4x")
COMMENT_BYTES = 65_535
ENCRYPTED = 1
ZIP64 = 1
MAX_RECORDS = 200_000
UNKNOWN, UNKNOWN_COUNT = 0xFFFFFFFF, 0xFFFF  # the number is elsewhere, in 64 bits


@dataclass(frozen=True)
class Record:
    """What the directory says of a record: where its header is, its size, and whether it lies there as it is."""

    name: str
    place: int
    size: int
    plain: bool


def contents(file: MappedFile, records: Iterable[Record]) -> dict[str, np.ndarray]:
    """The bytes of each record by its name, none of them read yet."""
    found: dict[str, np.ndarray] = {}
    taken = 0
    for record in sorted(records, key=lambda record: record.place):
        if record.name in found:
            raise file.damaged(f"it has two records {record.name[:100]!r}")
        if not record.plain:
            raise file.damaged(f"its record {record.name[:100]!r} is compressed or encrypted, which torch never does")
        if record.place < taken:
            raise file.damaged(f"its record {record.name[:100]!r} overlaps another one")
        start = _start(file, record)
        taken = start + record.size
        if taken > len(file.content):
            raise file.damaged(f"its record {record.name[:100]!r} ends beyond the file")
        found[record.name] = file.content[start:taken]
    return found


def directory(file: MappedFile) -> Iterator[Record]:
    """All records, as the end of the file lists them."""
    count, place = _end(file)
    if count > MAX_RECORDS:
        raise file.damaged(f"it claims to have {count:,} records")
    for _ in range(count):
        mark, flags, method, packed, size, name, extra, comment, header = _unpack(file, ENTRY, place)
        if mark != ENTRY_MARK:
            raise file.damaged("its directory is not whole")
        begin = place + ENTRY.size
        size, packed, header = _wide(file, begin + name, extra, [size, packed, header])
        plain = method == 0 and not flags & ENCRYPTED and size == packed
        yield Record(_decoded(file, file.content[begin : begin + name].tobytes()), header, size, plain)
        place = begin + name + extra + comment


def _start(file: MappedFile, record: Record) -> int:
    """Where a record's bytes begin: behind a header of its own, which has to agree with the directory."""
    mark, name, extra = _unpack(file, LOCAL, record.place)
    begin = record.place + LOCAL.size
    if mark != LOCAL_MARK or file.content[begin : begin + name].tobytes() != record.name.encode():
        raise file.damaged(f"its record {record.name[:100]!r} is not where the directory says")
    return int(begin + name + extra)


def _end(file: MappedFile) -> tuple[int, int]:
    """How many records the directory has, and where it begins."""
    tail_start = max(0, len(file.content) - END.size - COMMENT_BYTES)
    found = file.content[tail_start:].tobytes().rfind(END_MARK)
    if found < 0:
        raise file.damaged("the directory at its end is missing")
    place = tail_start + found
    _, count, _, directory = _unpack(file, END, place)
    if place >= LOCATOR.size:
        mark, place64 = _unpack(file, LOCATOR, place - LOCATOR.size)
        if mark == LOCATOR_MARK:
            mark, count64, _, directory64 = _unpack(file, END64, place64)
            if mark != END64_MARK:
                raise file.damaged("the directory at its end is not whole")
            return count64, directory64
    return count, directory


def _wide(file: MappedFile, place: int, length: int, numbers: list[int]) -> list[int]:
    """The numbers, and in the place of those too large for 32 bits the ones in the extra field."""
    wanted = [index for index, number in enumerate(numbers) if number == UNKNOWN]
    extra = file.content[place : place + length].tobytes()
    while wanted and len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == ZIP64 and min(size, len(extra) - 4) >= 8 * len(wanted):
            found = struct.unpack_from(f"<{len(wanted)}Q", extra, 4)
            return [found[wanted.index(index)] if index in wanted else number for index, number in enumerate(numbers)]
        extra = extra[4 + size :]
    return numbers


def _decoded(file: MappedFile, name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise file.damaged(f"the name of its record {name[:100]!r} is no text") from error


def _unpack(file: MappedFile, form: struct.Struct, place: int) -> tuple[Any, ...]:
    if place + form.size > len(file.content):
        raise file.damaged("it ends too early")
    return form.unpack(file.content[place : place + form.size].tobytes())
