"""Settings as frozen dataclasses: one field is one JSON key, one command-line flag and one row of the documentation.

The text under a field is its help. It is read from the source with ``ast`` when somebody asks for help, never at import.
"""

import ast
import dataclasses
import difflib
import itertools
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from headway.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Base of all settings: to and from JSON, with unknown keys refused by name."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The settings that these values name; a key that no field has is an error that suggests the nearest one."""
        known = {field.name for field in dataclasses.fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(f"{cls.__name__} has no setting {key!r}.{nearest(key, known)}")
        missing = [field.name for field in dataclasses.fields(cls) if _has_no_default(field) and field.name not in values]
        if missing:
            raise ConfigError(f"{cls.__name__} needs {', '.join(missing)}, which nothing here gives. Add what is missing.")
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})

    @classmethod
    def from_json(cls, path: str | Path) -> Self:
        """The settings in a JSON file that holds one object."""
        return cls.from_dict(read_object(path))

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON. What is secret stays here: it is None."""
        secret = {field.name for field in dataclasses.fields(self) if field.metadata.get("secret")}
        return {name: None if name in secret else _plain(value) for name, value in dataclasses.asdict(self).items()}


def read_object(path: str | Path) -> dict[str, Any]:
    """The object of names and values in a JSON file."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"Settings could not be read from {path}: {error}. Give the path of a JSON file.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds a JSON {type(values).__name__}, but settings are an object of names and values.")
    return values


def nearest(word: str, known: "set[str] | list[str]") -> str:
    """`` Did you mean 'x'?`` where something known is close, else `` Known: …``."""
    return closest(word, known) or f" Known: {', '.join(sorted(known))}."


def closest(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` where something known is close, else nothing."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def field_docs(cls: type) -> dict[str, str]:
    """The text under each field of a dataclass and of its bases, by field name, on one line each."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base) and (path := getattr(sys.modules[base.__module__], "__file__", None)):
            docs |= _docs_in(Path(path).read_text(encoding="utf-8"), base.__name__)
    return docs


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: Any) -> Any:
    """The value as JSON has it: lists for tuples, text for paths."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _docs_in(source: str, class_name: str) -> dict[str, str]:
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == class_name]
    body = classes[0].body if classes else []
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
