"""Numbers in memory that forked processes share: each writes a part of its own, and any may read all of them.

Unusual: nothing is sent and no file is written. A process that is killed leaves what it counted, and its successor goes on.
"""

import json
import mmap
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]
Key: TypeAlias = tuple[str, Labels]

WORD = 8
"""Bytes of a number."""
HEAD = 1
"""Numbers before the first entry: how many are in use."""
BASE, PER_MODEL = 1 << 18, 1 << 17
"""Bytes of a part, and how many more for each model: several times what all its tasks and outcomes can take. Memory that is not
touched costs nothing."""


class Board:
    """As many parts as there are processes. It has to be made before they are forked."""

    def __init__(self, parts: int = 1, *, models: int = 1) -> None:
        size = BASE + PER_MODEL * models
        memory = memoryview(mmap.mmap(-1, parts * size))
        self.parts: Sequence[Part] = [Part(memory[number * size : (number + 1) * size]) for number in range(parts)]


class Part:
    """What one process counts: entries one after the other, each a key and its numbers.

    An entry is two numbers (bytes of its key, how many numbers it has), the key as JSON, filled up to whole numbers, and the
    numbers. It counts as written once the head says so.
    """

    def __init__(self, memory: memoryview) -> None:
        self._bytes, self._sizes = memory, memory.cast("Q")
        self.cells = memory.cast("d")
        """All numbers; those of an entry begin where ``place`` says. Writing one is safe beside readers."""

    def place(self, key: Key, count: int) -> int:
        """Where the numbers of a key begin; a key that is new gets ``count`` of them, all zero."""
        said = json.dumps(key).encode()
        for known, start, _ in self._entries():
            if known == said:
                return start
        begin = self._used()
        start = begin + 2 + -(-len(said) // WORD)
        assert start + count <= len(self.cells), "A board has room for all that its models can have counted."
        self._sizes[begin], self._sizes[begin + 1] = len(said), count
        self._bytes[(begin + 2) * WORD : (begin + 2) * WORD + len(said)] = said
        self._sizes[0] = start + count
        return start

    def read(self) -> Iterator[tuple[Key, list[float]]]:
        """All keys with their numbers."""
        for said, start, count in self._entries():
            name, labels = json.loads(bytes(said))
            numbers = [self.cells[place] for place in range(start, start + count)]
            yield (name, tuple((label, value) for label, value in labels)), numbers

    def _used(self) -> int:
        return max(HEAD, self._sizes[0])

    def _entries(self) -> Iterator[tuple[memoryview, int, int]]:
        """Each key as it is written, where its numbers begin, and how many there are."""
        begin, end = HEAD, self._used()
        while begin < end:
            length, count = self._sizes[begin], self._sizes[begin + 1]
            start = begin + 2 + -(-length // WORD)
            yield self._bytes[(begin + 2) * WORD : (begin + 2) * WORD + length], start, count
            begin = start + count
