"""Changes to a model's configuration as they are typed: ``classifier_pooling=mean local_attention=64``."""

import json
from collections.abc import Iterable
from typing import Any

from headway.errors import ConfigError


def config_changes(words: Iterable[str]) -> dict[str, Any]:
    """Settings by name; a value is read as JSON where it is JSON, and is text otherwise."""
    changes: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ConfigError(f"{word!r} changes no setting of a model. Write NAME=VALUE, for example classifier_pooling=mean.")
        changes[name] = _value(value)
    return changes


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
