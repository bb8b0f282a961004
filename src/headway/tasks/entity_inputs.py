"""What token classification reads: texts, and lists of words that the caller split."""

from collections.abc import Iterable, Mapping
from typing import Any

from headway.errors import InputError
from headway.tasks.calls import one_input
from headway.tasks.inputs import ADVICE, not_text
from headway.text.inputs import check_words

WORD_NAMES = ("tokens", "words")
ADVICE_ON_LISTS = {kind: f"{ADVICE[kind]} A list of words is one input with is_split_into_words=True." for kind in (list, tuple)}


def read_input(item: Any, *, is_split: bool) -> str | list[str]:
    """A text, or the words of one."""
    if isinstance(item, Mapping):
        if len(item) != 1 or not set(item) <= {"text", *WORD_NAMES}:
            keys = ", ".join(map(repr, item)) or "none"
            raise InputError(f'An input has the keys {keys}, but it holds "text", or "words" that were split. Rename them.')
        ((name, item),) = item.items()
        is_split = name in WORD_NAMES
    if is_split:
        return _words(item)
    if not isinstance(item, str):
        raise not_text(item, "a text (a string)", advice=ADVICE | ADVICE_ON_LISTS)
    return item


def _words(item: Any) -> list[str]:
    if isinstance(item, str | bytes | Mapping) or not isinstance(item, Iterable):
        raise not_text(
            item,
            "a list of words",
            advice={str: " Split it, or leave is_split_into_words out; several lists of words come in a list."},
        )
    return check_words(list(item), name="words")


def read_call(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The inputs and the options; with ``is_split_into_words`` a flat list of words is one input, answered in a list."""
    inputs, options = one_input(arguments, named)
    if options.get("is_split_into_words") and isinstance(inputs, list | tuple) and inputs and isinstance(inputs[0], str):
        inputs = [list(inputs)]
    return inputs, options


def text_or_words(cells: Mapping[str, Any]) -> Any:
    """A text as it stands, and a list as words."""
    return cells["text"] if isinstance(cells["text"], str) else {"words": cells["text"]}
