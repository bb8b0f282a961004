"""Vocabularies of tiny tokenizers, the same in each run: what ``tokenizers`` learns depends on the order of its hashed words."""

from collections import Counter
from collections.abc import Sequence
from math import log

from tokenizers import Tokenizer as Backend
from tokenizers import models


def wordpiece(backend: Backend, lines: Sequence[str], *, size: int, special: Sequence[str]) -> models.WordPiece:
    """Every character, and what stands most often at the beginning of words and behind it (``##``)."""
    words = _words(backend, lines)
    starts = Counter(word[:end] for word in words for end in range(1, len(word) + 1))
    rests = Counter(f"##{word[begin:end]}" for word in words for begin in range(1, len(word)) for end in _ends(word, begin))
    characters = sorted(piece for piece in starts | rests if len(piece.removeprefix("##")) == 1)
    pieces = [*special, *characters, *_most_common(starts + rests, known=characters)]
    return models.WordPiece({piece: number for number, piece in enumerate(pieces[:size])}, unk_token="[UNK]")


def unigram(backend: Backend, lines: Sequence[str], *, size: int, special: Sequence[str], unknown: str) -> models.Unigram:
    """Every character, and what stands most often anywhere in words, each with the logarithm of how often."""
    words = _words(backend, lines)
    counts = Counter(word[begin:end] for word in words for begin in range(len(word)) for end in _ends(word, begin))
    characters = sorted(piece for piece in counts if len(piece) == 1)
    pieces = [*characters, *_most_common(counts, known=characters)][: size - len(special)]
    scores = [(piece, log(counts[piece] / counts.total())) for piece in pieces]
    return models.Unigram([*((token, 0.0) for token in special), *scores], unk_id=special.index(unknown))


def _words(backend: Backend, lines: Sequence[str]) -> list[str]:
    normalized = [backend.normalizer.normalize_str(line) for line in lines]
    return [word for line in normalized for word, _ in backend.pre_tokenizer.pre_tokenize_str(line)]


def _ends(word: str, begin: int) -> range:
    """Where a piece that begins there may end: pieces have five characters at most."""
    return range(begin + 1, min(len(word), begin + 5) + 1)


def _most_common(counts: Counter[str], *, known: Sequence[str]) -> list[str]:
    """Those that cover most characters first; of equals, in the order of the alphabet."""
    return sorted(counts.keys() - set(known), key=lambda piece: (-counts[piece] * len(piece), piece))
