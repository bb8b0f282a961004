"""The special tokens around a text or a pair, as the tokenizer's own template sets them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

from headway.errors import TokenizerError

if TYPE_CHECKING:
    from tokenizers import Encoding


@dataclass(frozen=True)
class Part:
    """Tokens of the frame, or (``owner`` 0 or 1) the place of a text, whose type id is then the only one."""

    owner: int | None
    ids: tuple[int, ...]
    type_ids: tuple[int, ...]


@dataclass(frozen=True)
class Frame:
    """What stands before, between and behind the texts."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, encode: Callable[[Any], "Encoding"], text: str, *, pair: bool) -> Self:
        """The frame that a tokenizer sets, read from what it makes of a text of which it makes any token."""
        found = encode((text, text) if pair else text)
        tokens = zip(found.sequence_ids, found.ids, found.type_ids, strict=True)
        parts = [_part(owner, list(group)) for owner, group in groupby(tokens, key=lambda token: token[0])]
        if {part.owner for part in parts} - {None} != ({0, 1} if pair else {0}):
            raise TokenizerError(
                f"This tokenizer makes no tokens of {text!r}, so it cannot be seen where its special tokens stand. "
                "Give texts to the tokenizer instead of token ids."
            )
        return cls(tuple(parts))

    @property
    def is_untyped(self) -> bool:
        """Whether all type ids are 0."""
        return not any(any(part.type_ids) for part in self.parts)

    def ids(self, first: Sequence[int], second: Sequence[int]) -> list[int]:
        """The ids of the texts in their places."""
        texts = (first, second)
        return [index for part in self.parts for index in (part.ids if part.owner is None else texts[part.owner])]

    def type_ids(self, first: Sequence[int], second: Sequence[int]) -> list[int]:
        """The type id of each token."""
        lengths = (len(first), len(second))
        return [
            kind
            for part in self.parts
            for kind in (part.type_ids if part.owner is None else part.type_ids[:1] * lengths[part.owner])
        ]

    def owners(self, first: Sequence[int], second: Sequence[int]) -> list[int | None]:
        """For each token 0 if it is of the first text, 1 of the second, None of the frame."""
        lengths = (len(first), len(second))
        return [
            owner
            for part in self.parts
            for owner in ([None] * len(part.ids) if part.owner is None else [part.owner] * lengths[part.owner])
        ]

    def mask(self, first: Sequence[int], second: Sequence[int]) -> list[int]:
        """1 for tokens of the frame, 0 for those of the texts."""
        lengths = (len(first), len(second))
        return [
            value for part in self.parts for value in ([1] * len(part.ids) if part.owner is None else [0] * lengths[part.owner])
        ]


BARE = Frame((Part(0, (), (0,)),))
"""Nothing around a text."""
BARE_PAIR = Frame((Part(0, (), (0,)), Part(1, (), (0,))))
"""Nothing around a pair."""


def _part(owner: int | None, tokens: Sequence[tuple[int | None, int, int]]) -> Part:
    return Part(owner, tuple(index for _, index, _ in tokens), tuple(kind for _, _, kind in tokens))
