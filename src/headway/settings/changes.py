"""Settings as they are typed, by name: ``classifier_pooling=mean local_attention=64``."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from headway.errors import ConfigError


def config_changes(words: Iterable[str]) -> dict[str, Any]:
    """Changes to a model's configuration."""
    return named_values(words, of="a model", example="classifier_pooling=mean")


def named_values(words: Iterable[str], *, of: str, example: str = "num_cycles=2") -> dict[str, Any]:
    """Settings by name; a value is read as JSON where it is JSON, and is text otherwise."""
    changes: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ConfigError(f"{word!r} changes no setting of {of}. Write NAME=VALUE, for example {example}.")
        changes[name] = _value(value)
    return changes


def as_words(values: Any, *, name: str) -> tuple[str, ...]:
    """Settings by name as words: from a mapping, from words, or from one text as transformers has it (JSON, or ``a=1,b=2``)."""
    if isinstance(values, str):
        text = values.strip()
        values = _object(text, name) if text.startswith("{") else [word.strip() for word in text.split(",") if word.strip()]
    if isinstance(values, Mapping):
        return tuple(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in values.items())
    if values is None or (isinstance(values, list | tuple) and all(isinstance(word, str) for word in values)):
        return tuple(values or ())
    raise ConfigError(f"{name} is {values!r}, but it holds settings by name. Give a dictionary.")


def named_columns(words: Iterable[str]) -> dict[str, str]:
    """The columns that hold what a task reads, by role."""
    split = [word.partition("=") for word in words]
    for role, sign, column in split:
        if not (role and sign and column):
            raise ConfigError(
                f"{role + sign + column!r} does not say which column holds what. Write ROLE=COLUMN, as in text=review "
                "label=stars."
            )
    return {role: column for role, _, column in split}


def _object(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{name} is no JSON object ({error}): {text}. Give a dictionary.") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
