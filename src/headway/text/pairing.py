"""Pairs of texts that are tokenised once each, however many pairs they stand in.

The tokens of a text do not depend on the text beside it: a tokenizer reads the two one by one and sets its frame around them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from headway.core.batching import TokenSequence
from headway.text.inputs import check_texts
from headway.text.truncation import Cut, Truncation, check_room, check_stride, covering, shortened

if TYPE_CHECKING:
    from tokenizers import Encoding

    from headway.text.state import State

Ids: TypeAlias = Sequence[int]

TEXTS_AT_ONCE = 4096
"""How many texts are encoded before their ids are taken: the library's own objects are many times larger than the ids."""


@dataclass(frozen=True)
class Pairing:
    """Joins texts into pairs of at most ``max_length`` tokens, with the ids that the tokenizer itself would give the pair.

    It keeps the tokens that the tokenizer had when it was made.
    """

    state: "State"
    max_length: int
    _types: dict[tuple[int, int], list[int] | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def room(self) -> int:
        """How many tokens the two texts of a pair have together, beside the special ones."""
        specials = self.state.specials(has_pair=True)
        check_room(self.max_length, specials)
        return self.max_length - specials

    def ids(self, texts: Sequence[str], *, most: int | None = None) -> list[Ids]:
        """The tokens of each text, without any frame; equal texts are read once.

        With ``most``, of a longer text only the tokens that stay when it is cut to that many.
        """
        distinct = list(dict.fromkeys(check_texts(texts, name="texts")))
        cut = None if most is None else Cut(max_length=most, side=self.state.traits.truncation_side)
        found = {
            text: encoding.ids if most is None else self.cut(encoding.ids, most)
            for start in range(0, len(distinct), TEXTS_AT_ONCE)
            for text, encoding in self._encoded(distinct[start : start + TEXTS_AT_ONCE], cut)
        }
        return [found[text] for text in texts]

    def cross_ids(
        self, firsts: Sequence[str], seconds: Sequence[str], *, strategy: Truncation = "longest_first"
    ) -> tuple[list[Ids], list[Ids]]:
        """The tokens of the first and of the second texts, as many as decide how ``shorten`` cuts any two of them."""
        found = self.ids(firsts, most=None if strategy == "only_second" else self.room)
        if strategy == "longest_first" and self.room % 2 and any(len(ids) >= self.room for ids in found):
            return self.ids(firsts), self.ids(seconds)  # the odd token is the longer text's, so lengths have to be known
        return found, self.ids(seconds, most=None if strategy == "only_first" else self.room)

    def shorten(self, first: Ids, second: Ids, *, strategy: Truncation = "longest_first") -> tuple[Ids, Ids]:
        """What stays of two texts that share a pair; where one that may not be cut leaves no room, an ``InputError``."""
        if len(first) + len(second) <= self.room:
            return first, second
        counts = shortened(len(first), len(second), room=self.room, strategy=strategy)
        return self.cut(first, counts[0]), self.cut(second, counts[1])

    def cut(self, ids: Ids, count: int) -> Ids:
        """At most ``count`` tokens, from the side that is kept."""
        if len(ids) <= count:
            return ids
        return ids[:count] if self.state.traits.truncation_side == "right" else ids[len(ids) - count :]

    def windows(self, ids: Ids, count: int, *, stride: int) -> list[Ids]:
        """A text in stretches of at most ``count`` tokens, of which neighbours share ``stride``."""
        if count < len(ids):
            check_stride(stride, count)
        stretches = covering(range(len(ids)), count, stride, self.state.traits.truncation_side)
        return [ids[stretch.start : stretch.stop] for stretch in stretches]

    def join(self, first: Ids, second: Ids) -> TokenSequence:
        """The pair as a model reads it, uncut. Type ids are None where all of them are 0."""
        texts, joined = (first, second), list[int]()
        for part in self.state.pair_frame.parts:
            joined += part.ids if part.owner is None else texts[part.owner]
        lengths = len(first), len(second)
        if lengths not in self._types:
            types = self.state.pair_frame.type_ids(first, second)
            self._types[lengths] = types if any(types) else None
        return TokenSequence(joined, self._types[lengths])

    def _encoded(self, texts: list[str], cut: Cut | None) -> "zip[tuple[str, Encoding]]":
        return zip(texts, self.state.encode(texts, cut=cut, fast=True, add_special_tokens=False), strict=True)
