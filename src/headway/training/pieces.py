"""What a masked LM reads: pieces of documents, or pairs of segments, by where they stand in the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from headway.training.corpus import Corpus

SHORTEST = 8
"""Pieces with fewer tokens are left out: there is too little around a mask to predict it from."""


@dataclass(frozen=True)
class Text:
    """One text as a model reads it; where words begin, if that is known, and what a pair of segments is labelled."""

    ids: np.ndarray
    types: np.ndarray | None = None
    word_starts: np.ndarray | None = None
    label: int | None = None


class Examples(Protocol):
    """Texts by number, of known length."""

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, with its special tokens."""
        ...

    def text(self, index: int, *, first: int, last: int) -> Text:
        """One text, framed by the special tokens ``first`` and ``last``."""
        ...


@dataclass(frozen=True)
class Pieces:
    """Pieces of documents by where they start and stop, and which document each is from."""

    corpus: "Corpus"
    starts: np.ndarray
    stops: np.ndarray
    documents: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each piece, with its two special tokens."""
        return self.stops - self.starts + 2

    def text(self, index: int, *, first: int, last: int) -> Text:
        """One piece between the special tokens ``first`` and ``last``."""
        start, stop = int(self.starts[index]), int(self.stops[index])
        if self.corpus.words:
            return framed(self.corpus, [(start, stop)], first=first, last=last)
        ids = np.empty(stop - start + 2, dtype=np.int64)  # in one go: a GPU learns from hundreds of texts in some milliseconds
        ids[0], ids[1:-1], ids[-1] = first, self.corpus.read(start, stop), last
        return Text(ids)

    def of_documents(self, chosen: np.ndarray) -> "Pieces":
        """The pieces of the documents for which ``chosen``, one boolean a document, is true."""
        kept = chosen[self.documents]
        return Pieces(self.corpus, self.starts[kept], self.stops[kept], self.documents[kept])


def framed(corpus: "Corpus", spans: Sequence[tuple[int, int]], *, first: int, last: int, label: int | None = None) -> Text:
    """Spans of the corpus as ``first A last`` or ``first A last B last``.

    The second has type 1 (Devlin et al., 2019, figure 2).
    """
    parts, types, words = [np.array([first])], [np.zeros(1, dtype=np.int64)], [np.ones(1, dtype=bool)]
    for number, (start, stop) in enumerate(spans):
        parts += [corpus.read(start, stop), np.array([last])]
        types.append(np.full(stop - start + 1, number))
        starts = corpus.word_starts(start, stop)
        if starts is not None:
            starts[:1] = True  # what is left of a word that was cut is a word
            words += [starts, np.ones(1, dtype=bool)]
    return Text(
        np.concatenate(parts),
        np.concatenate(types) if len(spans) > 1 else None,
        np.concatenate(words) if corpus.words else None,
        label,
    )
