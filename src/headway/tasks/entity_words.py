"""From a text's tokens to its words and their characters: by the tokenizer's word numbers, never by what tokens look like.

Shapes: T tokens, L labels, U units (tokens or words).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from headway.errors import TaskError
from headway.text.encoded import EncodedText
from headway.text.inputs import without_surrogates

if TYPE_CHECKING:
    from headway.text import Tokenizer


class Unit(NamedTuple):
    """Tokens that get one label: ``first`` to ``last``, both included, and the number of their word."""

    first: int
    last: int
    word: int | None


@dataclass(frozen=True, eq=False)
class Words:
    """Words that the caller split, and the text that they are with a delimiter between them."""

    text: str
    starts: tuple[int, ...]
    """Where each word begins in the text."""
    ends: tuple[int, ...]

    @classmethod
    def joined(cls, words: Sequence[str], delimiter: str) -> Self:
        """The words with the delimiter between them."""
        ends = tuple(accumulate(map(len, words), lambda end, length: end + len(delimiter) + length))
        return cls(delimiter.join(words), tuple(end - len(word) for end, word in zip(ends, words, strict=True)), ends)


@dataclass(frozen=True, eq=False)
class TextTokens:
    """The tokens of a text, or of a window of it, without the frame of special tokens around them."""

    text: str
    pieces: EncodedText
    tokenizer: "Tokenizer"
    words: Words | None = None

    @cached_property
    def places(self) -> list[int]:
        """Where each token stands in the framed sequence."""
        return [place for place, special in enumerate(self.pieces.special_tokens_mask) if not special]

    @cached_property
    def source_places(self) -> list[int]:
        """Where each token stands in the framed sequence of the whole text."""
        if self.pieces.kept is None:
            return self.places
        kept = [place for stretch in self.pieces.kept for place in stretch]
        return [kept[place] for place in self.places]

    @cached_property
    def word_ids(self) -> list[int | None]:
        """The number of each token's word."""
        numbers = self.pieces.word_ids
        return [numbers[place] for place in self.places]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Where each token stands in the text, in characters; white space that some tokenizers count in is in it."""
        offsets = self.pieces.offsets
        found = [offsets[place] for place in self.places]
        if self.words is not None:
            starts = [self.words.starts[number or 0] for number in self.word_ids]
            found = [(start + first, start + last) for start, (first, last) in zip(starts, found, strict=True)]
        for place in range(len(found) - 2, -1, -1):
            start, end = found[place]
            if start == end and start > found[place + 1][0]:  # the space that a tokenizer adds behind <mask>, trimmed off
                found[place] = (found[place + 1][0],) * 2
        return found

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where the tokens from the first to the last stand, without white space around them; all white space is its end."""
        start, end = self.spans[first][0], self.spans[last][1]
        found = self.text[start:end]
        kept = found.lstrip()
        start = max(start, end) - len(kept)
        return start, start + len(kept.rstrip())

    @cached_property
    def written(self) -> list[str]:
        """The pieces; an unknown one is the text that it stands for."""
        ids, unknown = self.pieces.ids, self.tokenizer.unk_token_id
        inside = [ids[place] for place in self.places]
        pieces: list[str] = self.tokenizer.convert_ids_to_tokens(inside)
        if unknown not in inside:
            return pieces
        found = zip(inside, pieces, self.spans, strict=True)
        return [without_surrogates(self.text[start:end]) if index == unknown else piece for index, piece, (start, end) in found]

    @cached_property
    def each_token(self) -> list[Unit]:
        """Every token by itself."""
        return [Unit(place, place, word) for place, word in enumerate(self.word_ids)]

    @cached_property
    def each_word(self) -> list[Unit]:
        """Every word with its tokens. A word is what has one number, or what the caller split; of white space alone is none.

        A tokenizer that does not split texts has one number for all of it: there a space ends a word, too.
        """
        numbers = self.word_ids
        starts = [place for place in range(len(numbers)) if place == 0 or self._begins_word(place)]
        found = [Unit(start, end - 1, numbers[start]) for start, end in pairwise([*starts, len(numbers)])]
        return found if self.words is not None else [word for word in found if self._has_characters(word)]

    def _has_characters(self, word: Unit) -> bool:
        part = self.text[self.spans[word.first][0] : self.spans[word.last][1]]
        return bool(part) and not part.isspace()

    def _begins_word(self, place: int) -> bool:
        if self.word_ids[place] is None or self.word_ids[place] != self.word_ids[place - 1]:
            return True
        start, end = self.span(place - 1, place - 1)
        return self.words is None and start < end and " " in self.text[end : self.span(place, place)[0]]


def word_scores(scores_TL: np.ndarray, words: Sequence[Unit], *, strategy: str) -> np.ndarray:
    """The scores of words, (words, labels).

    Those of the ``first`` token, their ``average``, or with ``max`` those of the token that has the largest score.
    """
    chosen = [word.first for word in words]
    if strategy == "max":
        largest_T = scores_TL.max(-1)
        chosen = [word.first + int(largest_T[word.first : word.last + 1].argmax()) for word in words]
    found_UL = scores_TL[np.array(chosen, dtype=np.int64)]
    if strategy == "average":
        for place, (first, last, _) in enumerate(words):
            if first < last:
                found_UL[place] = scores_TL[first : last + 1].mean(0)
    return np.asarray(found_UL)


@lru_cache(maxsize=4)
def for_split_words(tokenizer: "Tokenizer", size: int) -> "Tokenizer":
    """The tokenizer to which a word that the caller split is what it is in a text, where a space stands before it.

    One that reads it differently (RoBERTa's) is taken with ``add_prefix_space``, as transformers wants it for split words.
    ``size`` is its length, which changes with it. A ``TaskError`` where that does not help.
    """
    if _reads_as_in_texts(tokenizer):
        return tokenizer
    from headway.text import Tokenizer
    from headway.text.components import changed

    spaced = Tokenizer(changed(tokenizer.backend, {"add_prefix_space": True}), tokenizer.traits)
    if not _reads_as_in_texts(spaced):
        raise TaskError(
            "This model's tokenizer reads a word after a space differently from one without, and has no setting to read words "
            "that were split as in a text. Give texts instead of words."
        )
    return spaced


def _reads_as_in_texts(tokenizer: "Tokenizer") -> bool:
    ((split,),) = tokenizer.encode_windows([["a", "a"]], max_length=64, is_split_into_words=True)
    ((text,),) = tokenizer.encode_windows(["b a"], max_length=64)
    second = [index for index, word in zip(split.ids, split.word_ids, strict=True) if word == 1]
    tokens = [index for index, special in zip(text.ids, text.special_tokens_mask, strict=True) if not special]
    return not second or tokens[-len(second) :] == second
