"""Unigram pieces and their scores, learnt by expectation and maximisation. Kudo, 2018, arXiv:1804.10959, section 3.2.

The library's own trainer adds numbers up in the order of a hash table, and near ties give other pieces at every run. Here all
orders are fixed, and lattices of words of one length are worked through together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LONGEST = 16
MOST_WORDS, MOST_SEEDS = 500_000, 300_000
SHRINKING, SPARE, LEAST = 0.75, 1.1, 0.5
"""The share of pieces that a round keeps, how many more than wanted the rounds end with, and the smallest count that stays: those
of SentencePiece's trainer, as are the two passes of a round."""
NEVER = -1e9
DIGITS = 6
"""To how many digits scores are kept: enough, and the same on every machine."""


@dataclass(frozen=True)
class _Lattice:
    """Words of one length: how often each stands, (words,), and its pieces, (words, starts, lengths), -1 where there is none."""

    counts: np.ndarray
    pieces: np.ndarray


def learn_pieces(counts: Mapping[str, int], *, size: int) -> list[tuple[str, float]]:
    """At most ``size`` pieces with the logarithms of their probabilities, best first; all characters of the words are among them.

    ``counts`` says how often each word stands. Words beyond the half million that are most frequent are left out.
    """
    words = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]
    frequencies = _seeds(words, counts, limit=min(MOST_SEEDS, 10 * size + 1000))
    pieces = sorted(frequencies, key=lambda piece: (-frequencies[piece] * len(piece), piece))
    number = {piece: index for index, piece in enumerate(pieces)}
    is_needed = np.array([len(piece) == 1 for piece in pieces])
    lattices = _lattices(words, [counts[word] for word in words], number)
    own = _lattices(pieces, range(len(pieces)), number)
    expected = np.array([frequencies[piece] for piece in pieces], dtype=np.float64)
    scores = np.log(expected) - np.log(expected.sum())
    while True:
        for _ in range(2):
            expected = _expectation(lattices, scores)
            scores = _maximisation(expected, scores, is_needed)
        alive = int((scores > NEVER).sum())
        if alive <= size * SPARE:
            break
        scores = _pruned(own, scores, expected, is_needed, keep=max(int(size * SPARE), int(alive * SHRINKING)))
    kept = np.flatnonzero(scores > NEVER)
    ordered = sorted(kept.tolist(), key=lambda index: (not is_needed[index], -scores[index], pieces[index]))[:size]
    return sorted(((pieces[index], float(scores[index])) for index in ordered), key=lambda row: (-row[1], row[0]))


def _seeds(words: Sequence[str], counts: Mapping[str, int], *, limit: int) -> dict[str, int]:
    """All characters, and the substrings that stand at least twice and cover most, by how often they stand."""
    found: dict[str, int] = Counter()
    for word in words:
        for character in word:
            found[character] += counts[word]
    characters, before = dict(found), set(found)
    longer: dict[str, int] = {}
    for length in range(2, LONGEST + 1):
        now: Counter[str] = Counter()
        for word in words:
            for start in range(len(word) - length + 1):
                piece = word[start : start + length]
                if piece[:-1] in before and piece[1:] in before:  # a rare part makes a rare whole
                    now[piece] += counts[word]
        frequent = {piece: count for piece, count in now.items() if count > 1}
        longer |= frequent
        before = set(frequent)
    best = sorted(longer, key=lambda piece: (-longer[piece] * len(piece), piece))[: max(0, limit - len(characters))]
    return characters | {piece: longer[piece] for piece in best}


def _lattices(words: Sequence[str], counts: Iterable[int], number: Mapping[str, int]) -> list[_Lattice]:
    by_length: dict[int, list[tuple[str, int]]] = {}
    for word, count in zip(words, counts, strict=True):
        by_length.setdefault(len(word), []).append((word, count))
    return [_lattice([word for word, _ in rows], [count for _, count in rows], number) for _, rows in sorted(by_length.items())]


def _lattice(words: list[str], counts: list[int], number: Mapping[str, int]) -> _Lattice:
    length = len(words[0])
    width = min(length, LONGEST)
    found = np.full((len(words), length, width), -1, dtype=np.int32)
    for row, word in zip(found, words, strict=True):
        for start in range(length):
            for size in range(1, min(width, length - start) + 1):
                row[start, size - 1] = number.get(word[start : start + size], -1)
    return _Lattice(np.array(counts, dtype=np.float64), found)


def _expectation(lattices: Sequence[_Lattice], scores: np.ndarray) -> np.ndarray:
    """How often each piece is expected in all words, over all their segmentations."""
    expected, padded = np.zeros(len(scores) + 1), np.append(scores, NEVER)
    for lattice in lattices:
        weights = padded[lattice.pieces]
        count, length, width = weights.shape
        forward, backward = np.full((count, length + 1), NEVER), np.full((count, length + 1), NEVER)
        forward[:, 0] = backward[:, length] = 0.0
        for end in range(1, length + 1):
            sizes = range(1, min(width, end) + 1)
            forward[:, end] = _logsumexp([forward[:, end - size] + weights[:, end - size, size - 1] for size in sizes])
        for start in range(length - 1, -1, -1):
            sizes = range(1, min(width, length - start) + 1)
            backward[:, start] = _logsumexp([backward[:, start + size] + weights[:, start, size - 1] for size in sizes])
        for start in range(length):
            for size in range(1, min(width, length - start) + 1):
                logs = forward[:, start] + weights[:, start, size - 1] + backward[:, start + size] - forward[:, length]
                shares = lattice.counts * np.exp(np.minimum(logs, 0.0))
                expected += np.bincount(lattice.pieces[:, start, size - 1] % len(expected), shares, len(expected))
    return expected[:-1]


def _maximisation(expected: np.ndarray, scores: np.ndarray, is_needed: np.ndarray) -> np.ndarray:
    """New scores, by the digamma function, which makes rare pieces rarer; those that are hardly expected go."""
    stays = (scores > NEVER) & ((expected >= LEAST) | is_needed)
    counts = np.maximum(expected, LEAST)
    return np.where(stays, _digamma(counts) - _digamma(np.array([counts[stays].sum()])), NEVER)


def _pruned(own: Sequence[_Lattice], scores: np.ndarray, expected: np.ndarray, is_needed: np.ndarray, *, keep: int) -> np.ndarray:
    """The scores without those pieces whose loss costs least likelihood, if the best other one were taken in their place."""
    loss, total = np.full(len(scores), np.inf), expected.sum()
    counts = np.append(np.maximum(expected, LEAST), 1.0)
    for lattice in own:
        if lattice.pieces.shape[1] == 1:
            continue
        index = lattice.counts.astype(np.int64)  # a piece's count here is its own number
        logs, parts = _best_others(lattice, np.append(scores, NEVER), counts, index)
        more = np.log(total + counts[index] * (parts - 1))
        loss[index] = counts[index] / total * (np.log(counts[index]) - np.log(total) - (logs - parts * more))
    loss[is_needed] = np.inf
    loss[scores <= NEVER] = -np.inf
    kept = np.argsort(-loss, kind="stable")[:keep]
    pruned = np.full(len(scores), NEVER)
    pruned[kept] = scores[kept]
    return pruned


def _best_others(lattice: _Lattice, padded: np.ndarray, counts: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the best segmentation of each piece into others: their counts' logarithms, each with the piece's own added; how many."""
    at = lattice.pieces
    count, length, width = at.shape
    best, size_of = np.full((count, length + 1), 2 * NEVER), np.zeros((count, length + 1), dtype=np.int64)
    best[:, 0] = 0.0
    for end in range(1, length + 1):
        for size in range(1, min(width, end, length - 1) + 1):
            score = best[:, end - size] + padded[at[:, end - size, size - 1]]
            is_better = score > best[:, end]
            best[is_better, end], size_of[is_better, end] = score[is_better], size
    rows, ends, logs, parts = np.arange(count), np.full(count, length), np.zeros(count), np.zeros(count)
    while ends.any():
        going = rows[ends > 0]
        sizes = size_of[going, ends[going]]
        starts = ends[going] - sizes
        logs[going] += np.log(counts[at[going, starts, sizes - 1]] + counts[index[going]])
        parts[going] += 1
        ends[going] = starts
    return logs, parts


def _logsumexp(rows: Sequence[np.ndarray]) -> np.ndarray:
    stacked = np.stack(rows)
    most = stacked.max(0)
    found: np.ndarray = most + np.log(np.exp(stacked - most).sum(0))
    return found


def _digamma(values: np.ndarray) -> np.ndarray:
    """The logarithmic derivative of the gamma function, for positive numbers (Abramowitz and Stegun, 1964, 6.3.5 and 6.3.18)."""
    values, shift = values.astype(np.float64), np.zeros_like(values, dtype=np.float64)
    for _ in range(7):
        shift -= 1 / values
        values = values + 1
    square = 1 / values**2
    found: np.ndarray = shift + np.log(values) - 0.5 / values - square * (1 / 12 - square * (1 / 120 - square / 252))
    return found
