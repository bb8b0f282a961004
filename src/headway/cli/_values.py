"""What a field's annotation means for a value that is typed or stands in a file of settings.

Understood: bool, int, float, str, Path, Literal, tuples of these (``tuple[int, ...]``, ``tuple[int, int]``), and unions of
them and None, which is typed as ``none``.
"""

import argparse
import json
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Union

from headway.core.settings_files import value_or_nothing

NAMES: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path", str: "text"}
METAVARS: dict[Any, str] = {int: "N", float: "X", Path: "PATH", str: "TEXT"}


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The members of a union without None, most particular first, so that ``3`` is a number before it is text."""
    members = typing.get_args(annotation) if typing.get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    plain = [kind for kind in NAMES if kind in members]
    return (*(kind for kind in members if kind not in (*plain, type(None))), *plain)


def is_list(annotation: Any) -> bool:
    """Whether the field takes several values."""
    return any(typing.get_origin(kind) is tuple for kind in alternatives(annotation))


def shape(annotation: Any) -> dict[str, Any]:
    """What argparse wants to know beside the reader: how many values, which choices, yes-or-no."""
    kinds = alternatives(annotation)
    if kinds == (bool,):
        return {"action": argparse.BooleanOptionalAction}
    if is_list(annotation):
        items = typing.get_args(kinds[0])
        return shape(items[0]) | {"nargs": "*" if items[-1] is Ellipsis else len(items)}
    choices = tuple(value for kind in kinds for value in _choices(kind))
    if choices and all(typing.get_origin(kind) is Literal for kind in kinds):
        return {"choices": choices}
    return {"metavar": next((METAVARS[kind] for kind in reversed(kinds) if kind in METAVARS), None)}


def reader(annotation: Any) -> Callable[[str], Any]:
    """What turns one typed word into a value."""
    kinds = alternatives(annotation)
    kinds = alternatives(typing.get_args(kinds[0])[0]) if is_list(annotation) else kinds

    def read(word: str) -> Any:
        if not is_list(annotation) and value_or_nothing(word, annotation) is None:
            return None
        for kind in kinds:
            try:
                return _from_word(word, kind)
            except ValueError:
                continue
        raise argparse.ArgumentTypeError(f"{word!r} is not {describe(annotation)}.")

    return read


def from_json(value: Any, annotation: Any) -> Any:
    """The value as the field wants it, or ValueError saying what it takes."""
    if (value is None or value_or_nothing(value, annotation) is None) and type(None) in typing.get_args(annotation):
        return None
    for kind in alternatives(annotation):
        items = typing.get_args(kind)
        if items == (str, ...) and isinstance(value, Mapping):
            value = [f"{name}={one if isinstance(one, str) else json.dumps(one)}" for name, one in value.items()]
        if typing.get_origin(kind) is tuple and isinstance(value, list) and (items[-1] is Ellipsis or len(items) == len(value)):
            return tuple(from_json(item, items[0]) for item in value)
        if value in _choices(kind) or _fits(value, kind):
            return Path(value) if kind is Path else value
    raise ValueError(describe(annotation))


def describe(annotation: Any) -> str:
    """The annotation in words, as it stands in an error message."""
    words = []
    for kind in alternatives(annotation):
        if typing.get_origin(kind) is tuple:
            items = typing.get_args(kind)
            words.append(f"a list of {'' if items[-1] is Ellipsis else f'{len(items)} times '}{describe(items[0])}")
        else:
            words.append(" | ".join(map(str, _choices(kind))) or NAMES[kind])
    return " or ".join(words)


def spelled(value: Any) -> str:
    """The value as one would type it."""
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(spelled, value)) if isinstance(value, tuple) else str(value)


def _choices(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def _from_word(word: str, kind: Any) -> Any:
    if kind in (int, float, str, Path):
        return kind(word)
    spelled = {"true": True, "false": False} if kind is bool else {str(choice): choice for choice in _choices(kind)}
    if word not in spelled:
        raise ValueError(word)
    return spelled[word]


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, str) if kind is Path else kind in NAMES and isinstance(value, kind)
