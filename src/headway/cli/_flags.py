"""A settings dataclass as command-line flags: every field is one flag, its text is the flag's help.

``--config FILE`` gives values for the fields that the command line leaves out, and ``--print-config`` writes one. Unusual:
argparse keeps no defaults here, so that what was typed can be told from what was not; the dataclass alone knows the defaults.
"""

import argparse
import dataclasses
import json
import typing
from collections.abc import Callable, Sequence
from typing import Any

from headway.cli import _values
from headway.cli.command import Command
from headway.core.config import Config, field_docs, nearest
from headway.core.settings_files import as_toml, place_of, read_values, unknown_name
from headway.errors import ConfigError

Field = dataclasses.Field[Any]
PRINT = "print_config"
"""Where argparse notes that the settings are to be printed."""


def parse(command: Command, arguments: Sequence[str], *, program: str) -> Config:
    """The command's settings: what was typed, then what ``--config`` says, then the defaults; misuse exits with status 2."""
    parser = build_parser(command, program=program)
    mixed = "--" not in arguments  # then what has no flag may stand between flags
    known, unknown = (parser.parse_known_intermixed_args if mixed else parser.parse_known_args)(arguments)
    if unknown:
        parser.error(_unknown(unknown, parser))
    typed = vars(known)
    path, is_asked = typed.pop("config", None), typed.pop(PRINT, False)
    values = (read_config(path, command.settings) if path else {}) | typed
    missing = [label(field) for field in _fields(command.settings) if is_required(field) and values.get(field.name, ()) == ()]
    if missing:
        parser.error(f"{', '.join(missing)} must be given, here or in --config.")
    settings = command.settings.from_dict(values)
    if is_asked:
        print(as_toml(settings, title=f"{program} --config FILE"), end="")
        parser.exit()
    return settings


def build_parser(command: Command, *, program: str) -> argparse.ArgumentParser:
    """The parser whose flags are the fields of the command's settings."""
    kinds, docs = typing.get_type_hints(command.settings), field_docs(command.settings)
    fields = _fields(command.settings)
    positional = [label(field) + " …" * _values.is_list(kinds[field.name]) for field in fields if is_positional(field)]
    parser = argparse.ArgumentParser(
        prog=program, usage=" ".join([program, "[flags]", *positional]), description=command.summary, allow_abbrev=False
    )
    groups: dict[str, argparse._ArgumentGroup] = {}
    for field in sorted(fields, key=lambda field: _group(field, command.settings)):
        _, title = _group(field, command.settings)
        group = groups[title] = groups.get(title) or parser.add_argument_group(title)
        kind = kinds[field.name]
        options = {"help": _help(field, docs.get(field.name, "")), "default": argparse.SUPPRESS, "type": _values.reader(kind)}
        _add(group, field, options | _values.shape(kind))
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="TOML or JSON file with values for these settings; what is typed wins over it.",
    )
    parser.add_argument(
        "--print-config", dest=PRINT, action="store_true", default=argparse.SUPPRESS,
        help="Print all settings as they would hold now, as such a file in TOML, and do nothing else.",
    )  # fmt: skip
    return parser


def read_config(path: str, settings: type[Config]) -> dict[str, Any]:
    """The values in a file, each as its field's type wants it."""
    given = read_values(path)
    kinds = typing.get_type_hints(settings)
    names = {field.name for field in _fields(settings)}
    values = {}
    for name, value in given.items():
        if name not in names:
            raise unknown_name(path, name, names)
        try:
            values[name] = _values.from_json(value, kinds[name])
        except ValueError as error:
            raise ConfigError(
                f"{place_of(path, name)} gives {name} as {json.dumps(value, default=str)}, but it takes {error}. Change it in "
                "the file."
            ) from None
    return values


def is_positional(field: Field) -> bool:
    """Whether the field stands on the command line without a flag."""
    return bool(field.metadata.get("positional"))


def is_required(field: Field) -> bool:
    """Whether somebody has to give the field a value: it has no default, or says so itself (a list that may not be empty)."""
    no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    return no_default or bool(field.metadata.get("required"))


def label(field: Field) -> str:
    """The field as one types it: ``TEXTS`` for a positional one, ``--max-length`` for a flag."""
    return field.name.upper() if is_positional(field) else f"--{field.name.replace('_', '-')}"


def _fields(settings: type[Config]) -> list[Field]:
    return [field for field in dataclasses.fields(settings) if field.init]


def _group(field: Field, settings: type[Config]) -> tuple[int, str]:
    """Where a field stands in the help: what has no flag or must be given, then the command's own flags, then those it shares."""
    if is_positional(field) or is_required(field):
        return 0, "arguments"
    *_, declares = (base for base in settings.__mro__ if field.name in vars(base).get("__annotations__", {}))
    return (1, "flags") if declares is settings else (2, (declares.__doc__ or declares.__name__).partition(".")[0])


def _add(parser: argparse._ArgumentGroup, field: Field, options: dict[str, Any]) -> None:
    if is_positional(field):  # never required for argparse: the value may come from --config
        shape = {"nargs": "*" if "nargs" in options else "?", "metavar": label(field), "type": _unless_left_out(options["type"])}
        parser.add_argument(field.name, **options | shape)
    elif "action" in options:
        del options["type"]
        parser.add_argument(label(field), dest=field.name, **options)
    else:
        parser.add_argument(label(field), dest=field.name, **options)


def _unless_left_out(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """The reader of a positional argument, which argparse has read its own mark for a missing value too."""
    return lambda word: word if word is argparse.SUPPRESS else read(word)


def _help(field: Field, doc: str) -> str:
    text = doc.replace("``", "")
    if field.default is not dataclasses.MISSING and field.default not in (None, (), ""):
        text += f" Default: {_values.spelled(field.default)}."
    elif is_required(field):
        text += " Required."
    return text.strip().replace("%", "%%")


def _unknown(arguments: Sequence[str], parser: argparse.ArgumentParser) -> str:
    flags = [flag for flag in arguments if flag.startswith("-")]
    if not flags:
        return f"nothing is expected after the arguments above, but {' '.join(map(repr, arguments))} came."
    word = flags[0].partition("=")[0]
    return f"there is no flag {word!r}.{nearest(word, set(parser._option_string_actions))}"
