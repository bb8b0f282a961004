"""Pairs of segments, as BERT and ALBERT learn from them; drawn anew in each epoch, from a seed alone.

Segments are made of whole sentences that follow one another, and a pair fills the length wanted (Devlin et al., 2019,
arXiv:1810.04805, appendix A.2, and the authors' create_pretraining_data).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.training.pieces import SHORTEST, Text, framed

if TYPE_CHECKING:
    from headway.training.corpus import Corpus

SPECIALS = 3
"""[CLS] A [SEP] B [SEP]."""
TRIES = 10
"""How often another document is drawn until it is not the same."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Pairs:
    """Pairs of spans, (pairs, 4) as start and stop of either, their labels, and the document of the first."""

    corpus: "Corpus"
    spans: np.ndarray
    labels: np.ndarray
    documents: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each pair, with its three special tokens."""
        return self.spans[:, 1] - self.spans[:, 0] + self.spans[:, 3] - self.spans[:, 2] + SPECIALS

    def text(self, index: int, *, first: int, last: int) -> Text:
        """One pair as ``first A last B last``."""
        a, b, c, d = map(int, self.spans[index])
        return framed(self.corpus, [(a, b), (c, d)], first=first, last=last, label=int(self.labels[index]))


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How pairs are drawn: their length in tokens, specials included, and the share that is to be of a random, shorter one."""

    max_length: int
    short: float = 0.1

    @property
    def room(self) -> int:
        """Tokens of both segments."""
        return self.max_length - SPECIALS

    def target(self, random: np.random.Generator) -> int:
        """How long the next pair is to be."""
        return int(random.integers(2, self.room + 1)) if random.random() < self.short else self.room


def next_sentences(corpus: "Corpus", chosen: np.ndarray, drawing: Drawing, random: np.random.Generator) -> Pairs:
    """Half of the second segments follow the first (label 0), half are from another document (label 1).

    A chunk of one sentence, whose second half nothing is, always gets one from another document, as in the authors' code.
    """
    books = _books(corpus, chosen)
    spans, labels, documents = [], [], []
    for own, (number, ends) in enumerate(books):
        at = 0
        while at + 1 < len(ends):
            target = drawing.target(random)
            stop = _filled(ends, at, target)
            middle = at + int(random.integers(1, stop - at)) if stop - at > 1 else stop
            first = (int(ends[at]), int(ends[middle]))
            is_random = len(books) > 1 and (stop - at == 1 or random.random() < 0.5)
            if not is_random and middle == stop:  # one document of one sentence: there is nothing to pair it with
                break
            second = _elsewhere(books, own, target - (first[1] - first[0]), random) if is_random else (first[1], int(ends[stop]))
            at = middle if is_random else stop  # what was not used is used next
            spans.append(_fitting(first, second, drawing.room, random))
            labels.append(int(is_random))
            documents.append(number)
    return _pairs(corpus, spans, labels, documents)


def sentence_orders(corpus: "Corpus", chosen: np.ndarray, drawing: Drawing, random: np.random.Generator) -> Pairs:
    """Two segments that follow one another, in order (label 0) or with their order changed (label 1), half and half.

    Lan et al., 2020, arXiv:1909.11942, section 3.1. A sentence that stands alone in its chunk makes no pair.
    """
    spans, labels, documents = [], [], []
    for number, ends in _books(corpus, chosen):
        at = 0
        while at + 2 < len(ends):
            stop = max(at + 2, _filled(ends, at, drawing.target(random)))
            middle = at + int(random.integers(1, stop - at))
            pair = _fitting((int(ends[at]), int(ends[middle])), (int(ends[middle]), int(ends[stop])), drawing.room, random)
            is_swapped = bool(random.random() < 0.5)
            spans.append(pair[2:] + pair[:2] if is_swapped else pair)
            labels.append(int(is_swapped))
            documents.append(number)
            at = stop
    return _pairs(corpus, spans, labels, documents)


def _books(corpus: "Corpus", chosen: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """The bounds of the sentences of each chosen document, its beginning first."""
    starts, found = corpus.starts, []
    for number in np.flatnonzero(chosen):
        low, high = np.searchsorted(corpus.sentence_ends, [starts[number], corpus.ends[number]], side="right")
        found.append((int(number), np.concatenate([[starts[number]], corpus.sentence_ends[low:high]])))
    return found


def _filled(ends: np.ndarray, at: int, target: int) -> int:
    """The bound up to which sentences from ``at`` on have at least so many tokens, or the last one."""
    return min(int(np.searchsorted(ends, ends[at] + target)), len(ends) - 1)


def _elsewhere(books: list[tuple[int, np.ndarray]], own: int, target: int, random: np.random.Generator) -> Span:
    """Sentences of another document, from a random one on."""
    other = own
    for _ in range(TRIES):
        other = int(random.integers(len(books)))
        if other != own:
            break
    ends = books[other if other != own else (own + 1) % len(books)][1]
    at = int(random.integers(len(ends) - 1))
    return int(ends[at]), int(ends[max(at + 1, _filled(ends, at, max(1, target)))])


def _fitting(first: Span, second: Span, room: int, random: np.random.Generator) -> tuple[int, ...]:
    """Both spans within the room: the longer one loses a token, at its beginning or its end by chance, until they fit."""
    spans = [[*first], [*second]]
    excess = first[1] - first[0] + second[1] - second[0] - room
    for at_start in random.random(max(0, excess)) < 0.5:
        longer = max(spans, key=lambda span: span[1] - span[0])
        longer[0 if at_start else 1] += 1 if at_start else -1
    return (*spans[0], *spans[1])


def _pairs(corpus: "Corpus", spans: list[tuple[int, ...]], labels: list[int], documents: list[int]) -> Pairs:
    found = Pairs(
        corpus,
        np.array(spans, dtype=np.int64).reshape(-1, 4),
        np.array(labels, dtype=np.int64),
        np.array(documents, dtype=np.int64),
    )
    kept = found.lengths >= SHORTEST
    return Pairs(corpus, found.spans[kept], found.labels[kept], found.documents[kept])
