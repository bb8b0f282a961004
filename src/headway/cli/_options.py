"""``name=value`` words: columns by role, and options as the task's settings want them."""

import json
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from headway.cli import _values
from headway.core.config import Config
from headway.errors import ConfigError


def columns_by_role(words: Sequence[str], roles: Iterable[str]) -> dict[str, str]:
    """The columns that ``role=name`` words name; a bare name is the first role's."""
    first = next(iter(roles))
    split = [word.partition("=") for word in words]
    return {role if sign else first: name if sign else role for role, sign, name in split}


def read_options(words: Iterable[str], settings: type[Config]) -> dict[str, Any]:
    """The options that ``name=value`` words give, each as its setting wants it. Names that no setting has stay as they are."""
    kinds, found = typing.get_type_hints(settings), dict[str, Any]()
    for word in words:
        name, sign, value = word.partition("=")
        if not (name and sign):
            raise ConfigError(
                f"--options {word} does not say what is what: write a name, an equals sign and a value, as in top_k=3."
            )
        found[name] = _value(name, value, kinds[name]) if name in kinds else value
    return found


def _value(name: str, word: str, kind: Any) -> Any:
    """A word as a value of a kind: what JSON makes of it if that fits, else what commas part, else the text, else nothing."""
    parted = [word.split(",")] if "," in word else []
    nothing = [None] if word == "none" else []
    for value in (*_from_json(word), *parted, word, *nothing, [word]):
        try:
            return _values.from_json(value, kind)
        except ValueError as error:
            said = str(error)
    raise ConfigError(f"--options {name}={word} is no value of that option, which takes {said}. Change it.")


def _from_json(word: str) -> list[Any]:
    """What JSON makes of a word, if anything."""
    try:
        return [json.loads(word)]
    except ValueError:
        return []
