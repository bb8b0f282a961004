"""Questions with their contexts as token sequences: a long context in windows, each behind the whole question.

A question is tokenised once, however many windows there are, and a context once, however many questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Literal

import numpy as np

from headway.core.batching import TokenSequence
from headway.errors import ConfigError, InputError
from headway.tasks.task import Encoded

if TYPE_CHECKING:
    from headway.text import Tokenizer
    from headway.text.pairing import Pairing
    from headway.text.traits import Side

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
    windows: tuple[Window, ...] = ()


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

    def question_room(self, room: int) -> int:
        """How many tokens of a question are read where so many fit: a quarter of them is left for the context at least."""
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
    pairing = tokenizer.pairing(max_length=limits.tokens)
    asked = pairing.ids([question for question, _ in pairs])
    contexts = read_contexts([context for _, context in pairs], tokenizer)
    joining = _Joining(
        pairing=pairing, limits=limits, is_question_first=tokenizer.padding_side == "right", side=tokenizer.truncation_side
    )
    return [joining.encoded(ids, contexts[context]) for ids, (_, context) in zip(asked, pairs, strict=True)]


@dataclass(frozen=True, eq=False)
class Context:
    """A context as tokens, and the passage without its windows."""

    ids: Sequence[int]
    passage: Passage


def read_contexts(texts: Sequence[str], tokenizer: "Tokenizer") -> dict[str, Context]:
    """The contexts by their texts, each tokenised once however many questions there are to it."""
    distinct = list(dict.fromkeys(texts))
    found = tokenizer(
        distinct,
        add_special_tokens=False,
        truncation=False,
        return_token_type_ids=False,
        return_attention_mask=False,
        return_offsets_mapping=True,
    )
    columns = zip(distinct, found["input_ids"], found["offset_mapping"], map(found.word_ids, range(len(distinct))), strict=True)
    return {text: Context(ids, passage_of(text, offsets, words)) for text, ids, offsets, words in columns}


@dataclass(frozen=True, eq=False, kw_only=True)
class _Joining:
    """Puts questions and contexts together."""

    pairing: "Pairing"
    limits: Limits
    is_question_first: bool
    side: "Side"

    def encoded(self, asked: Sequence[int], context: Context) -> Encoded:
        """One question with its context, in as many sequences as it takes."""
        limits, all_asked, length = self.limits, len(asked), len(context.ids)
        asked = asked[: limits.question_room(self.pairing.room)]
        room, dropped = self.pairing.room - len(asked), all_asked - len(asked)
        if limits.overflow == "error" and (dropped or length > room):
            raise _too_long(limits.tokens - self.pairing.room + all_asked + length, limits)
        held = self._held(length, room)
        place = self._place(asked)
        passage = replace(context.passage, windows=tuple(Window(part.start, place, len(part)) for part in held))
        sequences = tuple(self._join(asked, context.ids[part.start : part.stop]) for part in held)
        return Encoded(sequences, passage, dropped + (length - len(held[0]) if limits.overflow == "truncate" else 0))

    def _held(self, length: int, room: int) -> list[range]:
        """The tokens of the context that each window holds."""
        from headway.text.truncation import check_stride, covering

        if length <= room:
            return [range(length)]
        if self.limits.overflow == "truncate":
            return [next(covering(range(length), room, 0, self.side))]
        stride = self.limits.shared(room)
        check_stride(stride, room)
        return list(covering(range(length), room, stride, self.side))

    def _join(self, asked: Sequence[int], context: Sequence[int]) -> TokenSequence:
        return self.pairing.join(asked, context) if self.is_question_first else self.pairing.join(context, asked)

    def _place(self, asked: Sequence[int]) -> int:
        """Where the context begins among the tokens of a sequence."""
        parts = self.pairing.state.pair_frame.parts
        owner = 1 if self.is_question_first else 0
        before = list(takewhile(lambda part: part.owner != owner, parts))
        return sum(len(asked) if part.owner is not None else len(part.ids) for part in before)


def passage_of(context: str, offsets: Sequence[tuple[int, int]], words: Sequence[int | None]) -> Passage:
    """A context from where its tokens stand and the numbers of their words, which do not fall."""
    numbers_T = np.array([-1 if word is None else word for word in words], dtype=np.int64)
    places_T = np.arange(len(numbers_T))
    begins_T = np.ones(len(numbers_T), bool)
    begins_T[1:] = (numbers_T[1:] != numbers_T[:-1]) | (numbers_T[1:] < 0)
    first_T = np.maximum.accumulate(np.where(begins_T, places_T, 0))
    ends_T = np.append(begins_T[1:], True)[: len(numbers_T)]
    last_T = np.minimum.accumulate(np.where(ends_T, places_T, len(numbers_T))[::-1])[::-1]
    offsets_T2 = np.fromiter(chain.from_iterable(offsets), np.int64, count=2 * len(offsets)).reshape(-1, 2)
    return Passage(context, offsets_T2, first_T, last_T)


def _too_long(count: int, limits: Limits) -> InputError:
    return InputError(
        f"A question with its context has {count} tokens, but {limits.tokens} are read together and {limits.question} of a "
        'question, and overflow="error" refuses to read more in windows. Shorten the texts, or use overflow="window".'
    )
