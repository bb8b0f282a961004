"""Many texts as a model reads them, in a few bytes a token: as lists of numbers they would take a hundred times their text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from headway.core.batching import TokenSequence
from headway.tasks.vectors import Embedder

AT_ONCE = 8192
"""Texts that are lists at the same time."""


@dataclass(frozen=True)
class Lines:
    """Token ids of all texts end to end, and where each text ends; ``types`` as many where a text's tokens have several types."""

    ids: np.ndarray
    ends: np.ndarray
    types: np.ndarray | None

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, number: int) -> TokenSequence:
        """One text."""
        start, stop = (0 if not number else int(self.ends[number - 1])), int(self.ends[number])
        types = None if self.types is None else self.types[start:stop].tolist()
        return TokenSequence(self.ids[start:stop].tolist(), types)

    @property
    def lengths(self) -> np.ndarray:
        """The tokens of each text."""
        return np.diff(self.ends, prepend=0)


def tokenised(reads: Embedder, texts: Sequence[str], *, progress: bool) -> Lines:
    """The texts as ``reads`` has them read, cut to its limit."""
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    lengths: list[int] = []
    with tqdm(total=len(texts), desc="Tokenising", unit=" texts", disable=not progress) as bar:
        for start in range(0, len(texts), AT_ONCE):
            found = [encoded.sequences[0] for encoded in reads.encode(texts[start : start + AT_ONCE])]
            lengths += [len(one) for one in found]
            ids.append(np.array([number for one in found for number in one.ids], dtype=np.int32))
            types.append(np.array([number for one in found for number in one.type_ids or [0] * len(one)], dtype=np.uint8))
            bar.update(len(found))
    every_type = np.concatenate(types)
    ends = np.cumsum(lengths, dtype=np.int64)
    return Lines(np.concatenate(ids), ends, every_type if every_type.any() else None)
