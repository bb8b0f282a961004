"""What callers hand to a task: a text, or a pair of texts; anything else is refused with a message that says what it was."""

from collections.abc import Iterable, Mapping, Set, Sized
from typing import Any

from headway.errors import InputError

SHOWN = 60
ADVICE = {
    bytes: ' Decode it first: text.decode("utf-8").',
    list: ' Give the texts as one flat list; a pair of texts is {"text": …, "text_pair": …}.',
    tuple: ' Give the texts as one flat list; a pair of texts is {"text": …, "text_pair": …}.',
    type(None): " Leave it out, or use an empty string.",
}


def read_text(item: Any) -> str:
    """One text."""
    if isinstance(item, Mapping) and set(item) == {"text"}:
        item = item["text"]
    if not isinstance(item, str):
        raise not_text(item, "a text (a string)")
    return str(item)  # a plain one, also of an array


def read_pair(item: Any) -> tuple[str, str | None]:
    """One text, or the two of a pair."""
    if not isinstance(item, Mapping):
        if not isinstance(item, str):
            raise not_text(item, 'a text (a string) or a pair ({"text": …, "text_pair": …})')
        return item, None
    if "text" not in item or not set(item) <= {"text", "text_pair"}:
        keys = ", ".join(map(repr, item)) or "none"
        raise InputError(f'An input has the keys {keys}, but a text or pair has "text" and perhaps "text_pair". Rename them.')
    pair = item.get("text_pair")
    return read_text(item["text"]), None if pair is None else read_text(pair)


def is_list(value: Any) -> bool:
    """Whether a value holds several things in their order: a list, a tuple, an array, a column of a table."""
    if isinstance(value, str | bytes | bytearray | Mapping | Set) or getattr(value, "shape", None) == ():
        return False
    return isinstance(value, Iterable) and isinstance(value, Sized)


def not_text(item: Any, wanted: str, *, advice: Mapping[Any, str] = ADVICE) -> InputError:
    """The error for something in the place of what is wanted; ``advice`` says for a type how to mend it."""
    shown = repr(item)
    what = "None" if item is None else f"{type(item).__name__} {shown if len(shown) <= SHOWN else shown[:SHOWN] + '…'}"
    return InputError(
        f"An input is {what}, where {wanted} belongs.{advice.get(type(item), ' Convert it with str(…) if it stands for a text.')}"
    )
