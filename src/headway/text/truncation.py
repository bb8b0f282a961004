"""Which tokens stay when a text is too long: decided from lengths alone, with the results of the ``tokenizers`` library.

The library cuts inside the shared tokenizer object, which is why its users cannot ask for two lengths from two threads.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from headway.errors import InputError
from headway.text.traits import Side

Truncation: TypeAlias = Literal["longest_first", "only_first", "only_second", "do_not_truncate"]


def kept_positions(
    owners: Sequence[int | None], *, max_length: int, strategy: Truncation = "longest_first", side: Side = "right", has_pair: bool
) -> list[int]:
    """The positions that stay of a framed text or pair that is too long.

    ``owners`` says of each token whether it belongs to the first text (0), the second (1) or the frame (None), which always
    stays. Each text stands in one piece, so this equals cutting the texts first and framing them afterwards, whatever the frame.
    """
    first, second = _stretch(owners, 0), _stretch(owners, 1)
    specials = len(owners) - len(first) - len(second)
    if max_length < specials:
        raise InputError(
            f"max_length ({max_length}) is smaller than the {specials} special tokens that frame a text. Use a larger max_length."
        )
    counts = shortened(len(first), len(second) if has_pair else None, room=max_length - specials, strategy=strategy)
    start, middle = sorted((_dropped(first, counts[0], side), _dropped(second, counts[1], side)), key=lambda gap: gap.start)
    return [*range(start.start), *range(start.stop, middle.start), *range(middle.stop, len(owners))]


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


def _dropped(text: range, count: int, side: Side) -> range:
    """The part of a text that goes, at the given side, when ``count`` tokens stay."""
    return text[count:] if side == "right" else text[: len(text) - count]
