"""Which tokens stay when a text is too long: decided from lengths alone, with the results of the ``tokenizers`` library.

The library cuts inside the shared tokenizer object, which is why its users cannot ask for two lengths from two threads. What
stays is said as stretches of positions of the framed text. Each text stands in one piece, so this equals cutting the texts
first and framing them afterwards, whatever the frame.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

from headway.errors import InputError
from headway.text.traits import Side

Truncation: TypeAlias = Literal["longest_first", "only_first", "only_second", "do_not_truncate"]
Stretches: TypeAlias = tuple[range, ...]
"""Positions in order, as stretches without gaps."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How texts that are too long are cut: to ``max_length`` tokens, frame included.

    ``stride`` is how many tokens neighbouring windows of one text share.
    """

    max_length: int
    strategy: Truncation = "longest_first"
    side: Side = "right"
    stride: int = 0

    def kept(self, owners: Sequence[int | None], *, has_pair: bool) -> Stretches:
        """What stays of a framed text or pair that is too long.

        ``owners`` says of each token whether it belongs to the first text (0), the second (1) or the frame (None), which always
        stays.
        """
        texts, counts = self._shares(owners, has_pair=has_pair)
        parts = [next(covering(text, count, 0, self.side)) for text, count in zip(texts, counts, strict=True)]
        return _joined(len(owners), texts, parts)

    def windows(self, owners: Sequence[int | None], *, has_pair: bool) -> list[Stretches]:
        """All of a framed text or pair that is too long, as windows that overlap by ``stride`` tokens; ``kept`` comes first.

        Where both texts of a pair are cut, each window of one meets each of the other: first the second window of the first text
        with all of the second, and so on; then the first with the rest.
        """
        texts, counts = self._shares(owners, has_pair=has_pair)
        for text, count in zip(texts, counts, strict=True):
            if count < len(text):
                check_stride(self.stride, count)
        first, second = (list(covering(text, count, self.stride, self.side)) for text, count in zip(texts, counts, strict=True))
        order = [(first[0], second[0]), *product(first[1:], second), *product(first[:1], second[1:])]
        return [_joined(len(owners), texts, parts) for parts in order]

    def _shares(self, owners: Sequence[int | None], *, has_pair: bool) -> tuple[tuple[range, range], tuple[int, int]]:
        """Where the two texts stand, and how many tokens stay of each."""
        first, second = _stretch(owners, 0), _stretch(owners, 1)
        specials = len(owners) - len(first) - len(second)
        check_room(self.max_length, specials)
        room = self.max_length - specials
        return (first, second), shortened(len(first), len(second) if has_pair else None, room=room, strategy=self.strategy)


def check_stride(stride: int, count: int) -> None:
    """Raise ``InputError`` where windows of ``count`` tokens would not move on."""
    if stride >= count:
        raise InputError(
            f"stride ({stride}) has to be less than the {count} tokens that a window holds of a text beside special "
            f"tokens and the other text, or windows would not move on. Use a smaller stride or a larger max_length."
        )


def check_room(max_length: int, specials: int) -> None:
    """Raise ``InputError`` where not even the frame of a text fits."""
    if max_length < specials:
        raise InputError(
            f"max_length ({max_length}) is smaller than the {specials} special tokens that frame a text. Use a larger max_length."
        )


def shortened(first: int, second: int | None, *, room: int, strategy: Truncation) -> tuple[int, int]:
    """How many tokens stay of the first and of the second text, where both together are longer than ``room``.

    ``longest_first`` takes from the longer of a pair until both are equal, then from both; the longer one keeps an odd token.
    """
    if strategy == "only_second" and second is None:
        raise InputError(
            "truncation='only_second' needs a pair of texts, but there is no second one. Give text_pair, or use truncation=True."
        )
    if strategy == "longest_first":
        return _longest_first(first, second or 0, room)
    other = (second or 0) if strategy == "only_first" else first
    if other > room:
        raise InputError(
            f"truncation={strategy!r} may not touch the other text, but that has {other} tokens where {room} fit. "
            "Use truncation=True, which shortens both, or a larger max_length."
        )
    return (room - other, other) if strategy == "only_first" else (other, room - other)


def covering(text: range, count: int, stride: int, side: Side) -> Iterator[range]:
    """The stretches of at most ``count`` tokens that cover a text from the side that is kept on; one where all of it stays."""
    step = count - stride
    if count >= len(text):
        yield text
    elif side == "right":
        yield text[:count]
        yield from (text[start : start + count] for start in range(step, len(text) - stride, step))
    else:
        yield text[len(text) - count :]
        yield from (text[max(0, stop - count) : stop] for stop in range(len(text) - step, stride, -step))


def _longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    short, long = sorted((first, second))
    long = max(short, room - short)
    if short + long > room:
        short, long = room // 2, room // 2 + room % 2
    return (short, long) if first <= second else (long, short)


def _stretch(owners: Sequence[int | None], owner: int) -> range:
    """Where one text stands."""
    count = owners.count(owner)
    start = owners.index(owner) if count else len(owners)
    return range(start, start + count)


def _joined(length: int, texts: Iterable[range], parts: Iterable[range]) -> Stretches:
    """The frame with one part of each text in its text's place."""
    stretches, start = [], 0
    for text, part in sorted(zip(texts, parts, strict=True), key=lambda pair: pair[0].start):
        stretches += [range(start, text.start), part]
        start = text.stop
    return tuple(stretch for stretch in (*stretches, range(start, length)) if stretch)
