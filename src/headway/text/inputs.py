"""What callers hand over as text: checked, with messages that name the place of what does not belong."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from headway.errors import InputError

SURROGATE = re.compile("[\ud800-\udfff]")
SHOWN = 60


def check_texts(texts: Any, *, name: str = "texts") -> list[str]:
    """The texts as a list; anything among them that is not a string is an error that says which."""
    texts = _as_list(texts, name)
    if not set(map(type, texts)) <= {str}:
        for index, text in enumerate(texts):
            check_text(text, name=f"{name}[{index}]")
    return texts


def check_text(text: Any, *, name: str = "text") -> str:
    """The text, if it is one."""
    if not isinstance(text, str):
        raise InputError(f"{name} is {_shown(text)}, but only strings can be turned into tokens.{_advice(text)}")
    return text


def check_words(words: Any, *, name: str = "text") -> list[str]:
    """The words of one text that the caller has split."""
    if isinstance(words, str):
        raise InputError(f"{name} is a string, but is_split_into_words=True needs a list of words. Split it, or leave is_split_into_words out.")
    return check_texts(words, name=name)


def check_pairs(texts: list[Any], pairs: list[Any]) -> None:
    """Refuse lists of first and second texts that cannot be paired."""
    if len(texts) != len(pairs):
        raise InputError(f"There are {len(texts)} first texts but {len(pairs)} second ones, so they do not pair up. Give lists of equal length.")


def without_surrogates(text: str) -> str:
    """The text with each lone surrogate, which no UTF-8 can hold, as U+FFFD: one character for one, so that offsets stay true."""
    return SURROGATE.sub("\ufffd", text)


def _as_list(texts: Any, name: str) -> list[Any]:
    if isinstance(texts, list):
        return texts
    if isinstance(texts, str | bytes | Mapping | set) or not isinstance(texts, Iterable):
        raise InputError(f"{name} is {_shown(texts)}, where a list of strings belongs.{_advice(texts)}")
    return list(texts)


def _shown(value: Any) -> str:
    if value is None:
        return "None"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= SHOWN else text[:SHOWN] + '…'}"


def _advice(value: Any) -> str:
    match value:
        case None:
            return " Leave it out, or use an empty string."
        case bytes():
            return ' Decode it first: text.decode("utf-8").'
        case str():
            return " Put it into a list."
        case list() | tuple():
            return " Second texts of pairs go into text_pair; words that you split need is_split_into_words=True."
        case _:
            return " Convert it with str(…) if it stands for a text."
