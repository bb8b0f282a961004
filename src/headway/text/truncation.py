"""Which tokens stay when a text is too long: decided from lengths alone, with the results of the ``tokenizers`` library.

The library cuts inside the shared tokenizer object, which is why its users cannot ask for two lengths from two threads.
"""

from typing import Literal, TypeAlias

from headway.errors import InputError
from headway.text.traits import Side

Truncation: TypeAlias = Literal["longest_first", "only_first", "only_second", "do_not_truncate"]


def room_for_text(max_length: int, *, specials: int) -> int:
    """How many tokens of the text itself fit beside the special tokens."""
    if max_length < specials:
        raise InputError(f"max_length ({max_length}) is smaller than the {specials} special tokens that frame a text. Use a larger max_length.")
    return max_length - specials


def shortened(first: int, second: int | None, *, room: int, strategy: Truncation) -> tuple[int, int]:
    """How many tokens stay of the first and of the second text, where both together are longer than ``room``.

    ``longest_first`` takes from the longer of a pair until both are equal, then from both, and leaves an odd token to the longer one.
    """
    if second is None and strategy != "only_second":
        return room, 0
    if strategy == "longest_first":
        return _longest_first(first, second or 0, room)
    surplus = first + (second or 0) - room
    target, name = (first, "first") if strategy == "only_first" else (second, "second")
    if target is None:
        raise InputError("truncation='only_second' needs a pair of texts, but there is no second one. Give text_pair, or use truncation=True.")
    if target < surplus:
        raise InputError(
            f"The {name} text has {target} tokens, of which {surplus} would have to go to reach the length asked for: the other text is too long. "
            "Use truncation=True, which shortens both, or a larger max_length."
        )
    return (first - surplus, second or 0) if strategy == "only_first" else (first, target - surplus)


def _longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    short, long = sorted((first, second))
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short, long = room // 2, room // 2 + room % 2
    return (short, long) if first <= second else (long, short)


def kept_positions(sequence_ids: list[int | None], *, max_length: int, strategy: Truncation, side: Side) -> list[int]:
    """The positions that stay of a framed text or pair; special tokens (sequence id None) always do.

    Equal to cutting each text before framing, so any frame of special tokens will do.
    """
    texts = ([at for at, owner in enumerate(sequence_ids) if owner == 0], [at for at, owner in enumerate(sequence_ids) if owner == 1])
    frame = [at for at, owner in enumerate(sequence_ids) if owner is None]
    room = room_for_text(max_length, specials=len(frame))
    has_pair = bool(texts[1]) or strategy == "only_second"
    first, second = shortened(len(texts[0]), len(texts[1]) if has_pair else None, room=room, strategy=strategy)
    return sorted([*frame, *_cut(texts[0], first, side), *_cut(texts[1], second, side)])


def _cut(positions: list[int], count: int, side: Side) -> list[int]:
    return positions[:count] if side == "right" else positions[len(positions) - count :]
