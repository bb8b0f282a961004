"""The characters that a vocabulary starts from, counted before it is learnt.

The library's trainer numbers characters in the order of a hash table, which differs from run to run, and breaks ties between
pairs by number: the same text gives another vocabulary every time. Numbering the characters beforehand makes training
repeatable.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tokenizers import Tokenizer as Backend


def count_characters(batches: Iterable[Sequence[str]]) -> dict[str, int]:
    """How often each character stands in the texts."""
    counts = np.zeros(0x110000, dtype=np.int64)
    for texts in batches:
        found = np.bincount(np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32))
        counts[: len(found)] += found
    return {chr(code): int(counts[code]) for code in np.flatnonzero(counts)}


def alphabet(counts: Mapping[str, int], splitter: Backend, *, limit: int) -> list[str]:
    """The ``limit`` most frequent characters as the tokenizer's normalisation leaves them, in the order of their code points."""
    normalised: Counter[str] = Counter()
    for character, count in counts.items():
        for word in words_of(character, splitter):
            for left in word:
                normalised[left] += count
    return sorted(sorted(normalised, key=lambda character: (-normalised[character], character))[:limit])


def continuing(characters: Iterable[str], splitter: Backend) -> list[str]:
    """The characters that can stand inside a word; punctuation and Chinese characters are words by themselves."""
    return [character for character in characters if len(words_of("a" + character, splitter)) == 1]


def kept_characters(characters: Iterable[str], *, other: str) -> defaultdict[int, int]:
    """A table for ``str.translate``: these characters as they are, any other one as ``other``."""
    return defaultdict(lambda: ord(other), {ord(character): ord(character) for character in characters})


def words_of(text: str, splitter: Backend) -> list[str]:
    """The text normalised and split into words."""
    plain = text if splitter.normalizer is None else splitter.normalizer.normalize_str(text)
    if splitter.pre_tokenizer is None:
        return [plain] if plain else []
    return [word for word, _ in splitter.pre_tokenizer.pre_tokenize_str(plain)]
