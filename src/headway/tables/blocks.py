"""Bytes in blocks of whole lines."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Lines:
    """Some lines that follow one another, without the last one's end; ``first`` counts from 1."""

    data: bytes
    first: int

    def split(self) -> list[bytes]:
        """The lines without their ends."""
        return self.data.replace(b"\r\n", b"\n").removesuffix(b"\r").split(b"\n")


def line_blocks(stream: IO[bytes], size: int = BLOCK_BYTES) -> Iterator[Lines]:
    """All lines, many at a time, without a byte order mark."""
    first, rest = 1, b""
    while chunk := stream.read(size):
        if first == 1 and not rest:
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        whole, end, tail = chunk.rpartition(b"\n")
        if not end:
            rest += chunk
            continue
        block = Lines(rest + whole, first)
        first += block.data.count(b"\n") + 1
        rest = tail
        yield block
    if rest:
        yield Lines(rest, first)
