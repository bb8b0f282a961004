"""Texts as tokens: what stays of the ``tokenizers`` library's encodings, with padding, and the way back to the text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from headway.core.batching import TokenSequence
from headway.text.traits import Side
from headway.text.truncation import Stretches

if TYPE_CHECKING:
    from tokenizers import Encoding


class CharSpan(NamedTuple):
    """A stretch of a text in characters; ``end`` is the first one after it."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """A stretch of an encoded text in tokens; ``end`` is the first one after it."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What brings texts to ``length`` tokens, and at which side; longer ones stay as they are."""

    length: int
    side: Side
    token_id: int
    type_id: int
    token: str

    def value(self, name: str) -> Any:
        """What stands in the place of a token in one of the columns of an encoding."""
        values = {"ids": self.token_id, "type_ids": self.type_id, "tokens": self.token, "special_tokens_mask": 1}
        return {**values, "attention_mask": 0, "offsets": (0, 0), "word_ids": None, "sequence_ids": None}[name]

    def filled(self, row: list[Any], value: Any) -> list[Any]:
        """The row brought to length."""
        padding = [value] * (self.length - len(row))
        return row + padding if self.side == "right" else padding + row


@dataclass(frozen=True, eq=False, repr=False)
class EncodedText:
    """One text or pair, or a window of it, as tokens. It reads like an ``Encoding`` of the ``tokenizers`` library.

    Numbers of tokens, words and characters that are not there, or stand for no text, lead to None.
    """

    source: "Encoding"
    kept: Stretches | None = None
    filling: Filling | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"EncodedText({len(self)} tokens)"

    @property
    def ids(self) -> list[int]:
        """The token ids."""
        return self.column("ids")

    @property
    def type_ids(self) -> list[int]:
        """The type ids."""
        return self.column("type_ids")

    @property
    def tokens(self) -> list[str]:
        """The pieces."""
        return self.column("tokens")

    @property
    def attention_mask(self) -> list[int]:
        """1 for each token, 0 for padding."""
        return self.column("attention_mask")

    @property
    def special_tokens_mask(self) -> list[int]:
        """1 for the frame and for padding, 0 for what is text."""
        return self.column("special_tokens_mask")

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """Where each token stands in its text, in characters; (0, 0) for what is not text."""
        return self.column("offsets")

    @property
    def word_ids(self) -> list[int | None]:
        """The number of each token's word; None for what is not text."""
        return self.column("word_ids")

    @property
    def sequence_ids(self) -> list[int | None]:
        """0 for tokens of the first text, 1 for the second, None for what is not text."""
        return self.column("sequence_ids")

    @property
    def places(self) -> list[int]:
        """Where each token stands in ``source``, which is not cut; padding, which stands nowhere, is left out."""
        return list(range(len(self.source))) if self.kept is None else [place for stretch in self.kept for place in stretch]

    @property
    def n_sequences(self) -> int:
        """1 for a text, 2 for a pair."""
        return int(self.source.n_sequences)

    @property
    def sequence(self) -> TokenSequence:
        """The tokens as a model reads them; type ids are None where all of them are 0."""
        types = self.type_ids
        return TokenSequence(self.ids, types if any(types) else None)

    def column(self, name: str) -> list[Any]:
        """One value a token: the attribute of that name."""
        row = selected(getattr(self.source, name), self.kept)
        return row if self.filling is None else self.filling.filled(row, self.filling.value(name))

    def char_to_token(self, char: int, sequence: int = 0) -> int | None:
        """The token that covers a character of the first or second text; None where none does, as for a space."""
        owners, offsets, _ = self._places
        found = (at for at, (start, end) in enumerate(offsets) if start <= char < end and owners[at] == sequence)
        return next(found, None)

    def char_to_word(self, char: int, sequence: int = 0) -> int | None:
        """The word that a character belongs to."""
        token = self.char_to_token(char, sequence)
        return None if token is None else self.token_to_word(token)

    def token_to_chars(self, token: int) -> CharSpan | None:
        """Where a token stands in its text."""
        return None if self.token_to_sequence(token) is None else CharSpan(*self._places[1][token])

    def token_to_sequence(self, token: int) -> int | None:
        """0 if a token belongs to the first text, 1 if to the second."""
        owners = self._places[0]
        return owners[token] if 0 <= token < len(owners) else None

    def token_to_word(self, token: int) -> int | None:
        """The number of a token's word."""
        return None if self.token_to_sequence(token) is None else self._places[2][token]

    def word_to_tokens(self, word: int, sequence: int = 0) -> TokenSpan | None:
        """The tokens of a word."""
        owners, _, words = self._places
        found = [at for at, number in enumerate(words) if number == word and owners[at] == sequence]
        return TokenSpan(found[0], found[-1] + 1) if found else None

    def word_to_chars(self, word: int, sequence: int = 0) -> CharSpan | None:
        """Where a word stands in its text."""
        tokens, offsets = self.word_to_tokens(word, sequence), self._places[1]
        return None if tokens is None else CharSpan(offsets[tokens.start][0], offsets[tokens.end - 1][1])

    @cached_property
    def _places(self) -> tuple[list[int | None], list[tuple[int, int]], list[int | None]]:
        return self.sequence_ids, self.offsets, self.word_ids


class Encodings(Sequence[EncodedText]):
    """The texts of a batch, or their windows, in order. ``kept`` is None where nothing is cut."""

    def __init__(
        self, sources: Sequence["Encoding"], kept: Sequence[Stretches | None] | None = None, filling: Filling | None = None
    ) -> None:
        self.filling = filling
        self._sources, self._kept = sources, kept
        self._texts: dict[int, EncodedText] = {}

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        at = range(len(self))[index]
        if at not in self._texts:
            self._texts[at] = EncodedText(self._sources[at], None if self._kept is None else self._kept[at], self.filling)
        return self._texts[at]

    @cached_property
    def lengths(self) -> list[int]:
        """How many tokens each text has, without padding."""
        if self._kept is None:
            return [len(source) for source in self._sources]
        places = zip(self._sources, self._kept, strict=True)
        return [len(source) if kept is None else sum(map(len, kept)) for source, kept in places]

    def padded(self, filling: Filling | None) -> "Encodings":
        """The same texts with padding."""
        return self if filling is None else Encodings(self._sources, self._kept, filling)

    def rows(self, name: str) -> list[list[Any]]:
        """A column of each text, without padding."""
        if name == "attention_mask":
            return [[1] * length for length in self.lengths]
        rows = list(_each_once(self._sources, name))
        return rows if self._kept is None else list(map(selected, rows, self._kept))


def selected(values: list[Any], kept: Stretches | None) -> list[Any]:
    """The values at the positions kept; all of them where that is None."""
    if kept is None:
        return values
    return [value for stretch in kept for value in values[stretch.start : stretch.stop]]


def _each_once(sources: Iterable["Encoding"], name: str) -> Iterator[list[Any]]:
    """The column of each source; windows of one text share its list."""
    before, values = None, []
    for source in sources:
        if source is not before:
            before, values = source, getattr(source, name)
        yield values
