"""Questions with their contexts as token sequences: a long context in windows, each behind the whole question.

Question and context are tokenised once, however many windows there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from headway.core.batching import TokenSequence
from headway.errors import ConfigError, InputError
from headway.tasks.task import Encoded

if TYPE_CHECKING:
    from headway.text import Tokenizer
    from headway.text.encoded import EncodedText
    from headway.text.traits import Side
    from headway.text.truncation import Stretches

WIDEST_STRIDE = 128


@dataclass(frozen=True)
class Window:
    """Some tokens of a context: ``count`` from ``start`` on, which stand in their sequence from ``place`` on."""

    start: int
    place: int
    count: int


@dataclass(frozen=True, eq=False)
class Passage:
    """What is kept of a context until its answers are found."""

    text: str
    offsets: np.ndarray
    """Where each token begins and ends, in characters, (tokens, 2)."""
    word_first: np.ndarray
    """The first token of each token's word, (tokens,); of a token without a word itself."""
    word_last: np.ndarray
    """The last one."""
    windows: tuple[Window, ...]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long sequences and questions may be, in tokens, and what happens to longer ones."""

    tokens: int
    question: int
    stride: int | None
    overflow: Literal["truncate", "window", "error"]

    def check(self, specials: int) -> None:
        """Refuse lengths that leave no room for a question and its context."""
        if self.tokens < specials + 2:
            raise ConfigError(
                f"max_seq_len is {self.tokens}, but a question with its context needs room for {specials} special tokens and "
                f"at least one of each. Use a whole number from {specials + 2} on."
            )

    def question_room(self, specials: int) -> int:
        """How many tokens of a question are read: a quarter of what fits is left for the context at least."""
        room = self.tokens - specials
        return min(self.question, room - max(1, room // 4))

    def shared(self, room: int) -> int:
        """How many tokens of a context neighbouring windows share, each of which has room for so many."""
        if self.stride is not None:
            return self.stride
        usual = min(self.tokens // 2, WIDEST_STRIDE)
        return usual if usual < room else room // 2


def encode_questions(pairs: Sequence[tuple[str, str]], *, tokenizer: "Tokenizer", limits: Limits) -> list[Encoded]:
    """Questions and contexts as the model reads them, in windows or as the limits say; memory is the ``Passage``.

    The question comes first, except for a tokenizer that pads at the left, as in transformers.
    """
    if not pairs:
        return []
    context_owner = 1 if tokenizer.padding_side == "right" else 0
    first, second = zip(*(pair if context_owner else pair[::-1] for pair in pairs), strict=True)
    found = tokenizer.encode_windows(first, second, max_length=limits.tokens, strategy="do_not_truncate")
    return [
        _Whole.read(text, context, context_owner=context_owner, limits=limits).encoded(limits, side=tokenizer.truncation_side)
        for (text,), (_, context) in zip(found, pairs, strict=True)
    ]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Whole:
    """A question with all of its context as tokens; ``dropped`` counts those of the question that were one too many."""

    context: str
    context_owner: int
    owners: list[int | None]
    ids: list[int]
    type_ids: list[int] | None
    offsets: list[tuple[int, int]]
    words: list[int | None]
    dropped: int

    @classmethod
    def read(cls, text: "EncodedText", context: str, *, context_owner: int, limits: Limits) -> Self:
        """A pair without the end of its question that is beyond the limit."""
        owners = text.sequence_ids
        asked, passage = owners.count(1 - context_owner), owners.count(context_owner)
        room = limits.question_room(len(owners) - asked - passage)
        begin = owners.index(1 - context_owner) + room if asked else 0
        dropped = max(0, asked - room)

        def column(name: str) -> list[Any]:
            values = text.column(name)
            del values[begin : begin + dropped]
            return values

        types = column("type_ids")
        return cls(
            context=context,
            context_owner=context_owner,
            owners=column("sequence_ids"),
            ids=column("ids"),
            type_ids=types if any(types) else None,
            offsets=column("offsets"),
            words=column("word_ids"),
            dropped=dropped,
        )

    @property
    def place(self) -> range:
        """Where the context stands."""
        count = self.owners.count(self.context_owner)
        start = self.owners.index(self.context_owner) if count else len(self.owners)
        return range(start, start + count)

    def encoded(self, limits: Limits, *, side: "Side") -> Encoded:
        """The sequences that the model reads."""
        if limits.overflow == "error" and (self.dropped or len(self.owners) > limits.tokens):
            raise _too_long(len(self.owners) + self.dropped, limits)
        place = self.place
        offsets, words = self.offsets[place.start : place.stop], self.words[place.start : place.stop]
        if len(self.owners) <= limits.tokens:
            passage = passage_of(self.context, offsets, words, (Window(0, place.start, len(place)),))
            return Encoded((TokenSequence(self.ids, self.type_ids),), passage, self.dropped)
        kept = self._kept(limits, place, side=side)
        windows = tuple(_window(stretches, place) for stretches in kept)
        left_out = len(place) - windows[0].count if limits.overflow == "truncate" else 0
        passage = passage_of(self.context, offsets, words, windows)
        return Encoded(tuple(map(self._sequence, kept)), passage, self.dropped + left_out)

    def _kept(self, limits: Limits, place: range, *, side: "Side") -> Sequence["Stretches"]:
        """The positions of each window, where one does not hold all."""
        from headway.text.truncation import Cut

        stride = limits.shared(limits.tokens - len(self.owners) + len(place))
        strategy: Literal["only_first", "only_second"] = "only_second" if self.context_owner else "only_first"
        cut = Cut(max_length=limits.tokens, strategy=strategy, side=side, stride=stride)
        if limits.overflow == "truncate":
            return [cut.kept(self.owners, has_pair=True)]
        return cut.windows(self.owners, has_pair=True)

    def _sequence(self, kept: "Stretches") -> TokenSequence:
        from headway.text.encoded import selected

        return TokenSequence(selected(self.ids, kept), None if self.type_ids is None else selected(self.type_ids, kept))


def _window(kept: "Stretches", place: range) -> Window:
    """Where the part of the context among the positions kept is from, and where it stands among them."""
    position = 0
    for stretch in kept:
        if stretch and stretch.start in place:
            return Window(stretch.start - place.start, position, len(stretch))
        position += len(stretch)
    return Window(0, position, 0)


def passage_of(
    context: str, offsets: Sequence[tuple[int, int]], words: Sequence[int | None], windows: tuple[Window, ...]
) -> Passage:
    """A context from where its tokens stand and the numbers of their words, which do not fall."""
    numbers_T = np.array([-1 if word is None else word for word in words], dtype=np.int64)
    places_T = np.arange(len(numbers_T))
    begins_T = np.ones(len(numbers_T), bool)
    begins_T[1:] = (numbers_T[1:] != numbers_T[:-1]) | (numbers_T[1:] < 0)
    first_T = np.maximum.accumulate(np.where(begins_T, places_T, 0))
    ends_T = np.append(begins_T[1:], True)[: len(numbers_T)]
    last_T = np.minimum.accumulate(np.where(ends_T, places_T, len(numbers_T))[::-1])[::-1]
    return Passage(context, np.array(offsets, dtype=np.int64).reshape(-1, 2), first_T, last_T, windows)


def _too_long(count: int, limits: Limits) -> InputError:
    return InputError(
        f"A question with its context has {count} tokens, but {limits.tokens} are read together and {limits.question} of a "
        'question, and overflow="error" refuses to read more in windows. Shorten the texts, or use overflow="window".'
    )
