"""Settings in files: TOML as people write it, or JSON; and settings written as TOML, so that giving the file back repeats them.

TOML has no word for nothing. Where a setting may be nothing, the text ``none`` is that.
"""

import dataclasses
import json
import re
import textwrap
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from headway.core.config import Config, field_docs, nearest, read_object
from headway.errors import ConfigError

NOTHING = "none"
WIDTH = 118

Kind = TypeVar("Kind", bound=Config)


def read_values(path: str | Path) -> dict[str, Any]:
    """The names and values in a settings file: TOML where its name ends in ``.toml``, else JSON."""
    if Path(path).suffix.lower() != ".toml":
        return read_object(path)
    import tomllib

    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"Settings could not be read from {path}: {error}. Give the path of a TOML file.") from error


def settings_from(path: str | Path, settings: type[Kind]) -> Kind:
    """The settings in a file, of the kind that it was written from; a name that these lack is refused with its line."""
    kinds, values = typing.get_type_hints(settings), read_values(path)
    known = {field.name for field in dataclasses.fields(settings)}
    for name in values:
        if name not in known:
            raise unknown_name(path, name, known)
    return settings.from_dict({name: value_or_nothing(value, kinds[name]) for name, value in values.items()})


def unknown_name(path: str | Path, name: str, known: set[str]) -> ConfigError:
    """The error for a name in a file that no setting has: the line, and the nearest name."""
    return ConfigError(f"{place_of(path, name)} names {name!r}, which is no setting of this command.{nearest(name, known)}")


def place_of(path: str | Path, name: str) -> str:
    """The file, with the line on which a name is given a value."""
    word = re.escape(name)
    given = re.compile(rf"""^\s*\[?\s*["']?{word}["']?\s*[=\].]|"{word}"\s*:""")
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    number = next((number for number, line in enumerate(lines, 1) if given.search(line)), None)
    return str(path) if number is None else f"{path}, line {number},"


def value_or_nothing(value: Any, annotation: Any) -> Any:
    """The value, or None where it is the word for nothing and the annotation lets it be nothing and knows no such word."""
    options = typing.get_args(annotation)
    words = [word for kind in options if typing.get_origin(kind) is Literal for word in typing.get_args(kind)]
    may_be_nothing = (
        type(None) in options and NOTHING not in words and not any(typing.get_origin(kind) is tuple for kind in options)
    )
    return None if may_be_nothing and value == NOTHING else value


def as_toml(config: Config, *, title: str = "") -> str:
    """The settings as TOML, each under what it says of itself; those that are nothing by default stand there as comments."""
    docs = field_docs(type(config))
    parts = [f"# {title}"] if title else []
    for field in dataclasses.fields(config):
        said = "\n".join(textwrap.wrap(docs.get(field.name, "").replace("``", ""), WIDTH - 2))
        parts.append(textwrap.indent(said, "# ", lambda line: True) + f"\n{_line(field, config.to_dict()[field.name])}")
    return "\n\n".join(parts) + "\n"


def _line(field: "dataclasses.Field[Any]", value: Any) -> str:
    if value is None and field.default is None:
        return f"# {field.name} ="
    return f"{field.name} = {_written(NOTHING if value is None else value)}"


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, float):
        return repr(value)  # 5e-05, inf and nan are the same in TOML
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # a JSON string is a TOML string but for DEL
    return json.dumps(value)
