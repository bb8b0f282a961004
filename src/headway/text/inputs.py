"""What callers hand over as text: checked, with messages that name the place of what does not belong."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headway.errors import InputError

SURROGATE = re.compile("[\ud800-\udfff]")
SHOWN = 60


@dataclass(frozen=True)
class Inputs:
    """What the library encodes: a text, or a tuple of two, for each entry. A text is a string or a list of words."""

    entries: list[Any]
    has_pair: bool
    is_batch: bool


def read_inputs(text: Any, pair: Any, *, is_split_into_words: bool) -> Inputs:
    """The texts of a call, checked: one or many, with a second text for each, or each two in one entry, or without."""
    if not is_batch(text, is_split_into_words=is_split_into_words):
        text = [check_single(text, name="text", is_split_into_words=is_split_into_words)]
        pair = pair if pair is None else [check_single(pair, name="text_pair", is_split_into_words=is_split_into_words)]
        return Inputs(check_batch(text, pair, is_split_into_words=is_split_into_words), pair is not None, is_batch=False)
    text = as_list(text, "text")
    if pair is None and text and _is_pair(text[0], is_split_into_words=is_split_into_words):
        firsts, seconds = zip(*map(_check_pair, text, range(len(text))), strict=True)
        text, pair = list(firsts), list(seconds)
    return Inputs(check_batch(text, pair, is_split_into_words=is_split_into_words), pair is not None, is_batch=True)


def is_batch(text: Any, *, is_split_into_words: bool) -> bool:
    """Whether a call's ``text`` is several texts; a single one is a string, or a list of words."""
    if isinstance(text, str | bytes) or not isinstance(text, Iterable):
        return False
    return not is_split_into_words or isinstance(text, Iterator) or any(not isinstance(entry, str) for entry in text)


def check_batch(text: Any, pair: Any, *, is_split_into_words: bool) -> list[Any]:
    """The texts of a batch, or tuples of two."""
    check = _check_split_texts if is_split_into_words else check_texts
    if pair is None:
        return check(text, name="text")
    firsts, seconds = check(text, name="text"), check(pair, name="text_pair")
    if len(firsts) != len(seconds):
        raise InputError(
            f"There are {len(firsts)} first texts but {len(seconds)} second ones, so they do not pair up. "
            "Give lists of equal length."
        )
    return list(zip(firsts, seconds, strict=True))


def check_texts(texts: Any, *, name: str) -> list[Any]:
    """The texts as a list; anything among them that is not a string is an error that says which."""
    listed = as_list(texts, name)
    if not set(map(type, listed)) <= {str}:
        for index, text in enumerate(listed):
            _check_text(text, f"{name}[{index}]")
    return listed


def check_single(text: Any, *, name: str, is_split_into_words: bool) -> Any:
    """One text: a string, or a list of words."""
    return check_words(text, name=name) if is_split_into_words else _check_text(text, name)


def check_words(words: Any, *, name: str) -> list[Any]:
    """The words of one text that the caller has split."""
    if isinstance(words, str):
        raise InputError(
            f"{name} is a string, but is_split_into_words=True needs a list of words. Split it, or leave is_split_into_words out."
        )
    return check_texts(words, name=name)


def without_surrogates(text: Any) -> Any:
    """The text, words or pair with each lone surrogate, which has no UTF-8 form, as U+FFFD: one for one, so that offsets hold."""
    return SURROGATE.sub("\ufffd", text) if isinstance(text, str) else type(text)(map(without_surrogates, text))


def _check_text(text: Any, name: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{name} is {shown(text)}, but only strings can be turned into tokens.{_advice(text)}")
    return text


def _check_split_texts(texts: Any, *, name: str) -> list[Any]:
    return [check_words(words, name=f"{name}[{index}]") for index, words in enumerate(as_list(texts, name))]


def _is_pair(entry: Any, *, is_split_into_words: bool) -> bool:
    """Whether an entry of a batch is two texts: lists of words if they are split, else strings."""
    parts = (list, tuple) if is_split_into_words else str
    return isinstance(entry, list | tuple) and len(entry) == 2 and all(isinstance(part, parts) for part in entry)


def _check_pair(entry: Any, index: int) -> Any:
    if not isinstance(entry, list | tuple) or len(entry) != 2:
        raise InputError(
            f"text[{index}] is {shown(entry)}, where a pair of texts belongs, because text[0] is one. "
            "Give pairs only, or give the second texts as text_pair."
        )
    return entry


def as_list(texts: Any, name: str) -> list[Any]:
    """The texts of a batch; what is none is an error."""
    if isinstance(texts, list):
        return texts
    if isinstance(texts, str | bytes | Mapping | set) or not isinstance(texts, Iterable):
        raise InputError(f"{name} is {shown(texts)}, where a list of strings belongs.{_advice(texts)}")
    return list(texts)


def shown(value: Any) -> str:
    """A value in a message: what it is, and the beginning of what it holds."""
    if value is None:
        return "None"
    text = repr(value)
    return f"the {type(value).__name__} {text if len(text) <= SHOWN else text[:SHOWN] + '…'}"


def _advice(value: Any) -> str:
    match value:
        case None:
            return " Leave it out, or use an empty string."
        case bytes():
            return ' Decode it first: text.decode("utf-8").'
        case str():
            return " Put it into a list."
        case list() | tuple():
            return " A pair is two strings, in one entry or with text_pair; words that you split need is_split_into_words=True."
        case _:
            return " Convert it with str(…) if it stands for a text."
