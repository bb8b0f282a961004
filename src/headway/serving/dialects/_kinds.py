"""The kinds of a task's options as JSON has them: schemas for those who read, and the same as a check of what came.

A task checks what its options mean. What it cannot expect is JSON of another kind, an object for a number; that is refused here.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from headway.core.config import field_docs
from headway.errors import TaskError
from headway.serving.dialects._body import shown
from headway.tasks import Task
from headway.tasks import task as find_task

PLAIN: Mapping[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
NOT_OVER_HTTP = ("return_tensors",)
"""Options that only mean something within Python."""

Schema = dict[str, Any]


def option_hints(task: Task) -> Mapping[str, Any]:
    """The options of a task that a request may give, with their types."""
    return _hints(task.name)


@cache
def _hints(task_name: str) -> Mapping[str, Any]:
    options = find_task(task_name).options
    hints = typing.get_type_hints(options)
    return {field.name: hints[field.name] for field in dataclasses.fields(options) if field.name not in NOT_OVER_HTTP}


def options_schema(task: Task) -> Schema:
    """The JSON schema of a task's options, with what each means and what it is by default; read from the source once."""
    return _options_schema(task.name)


@cache
def _options_schema(task_name: str) -> Schema:
    task = find_task(task_name)
    options = task.options
    docs, defaults = field_docs(options), options().to_dict()
    properties = {
        name: {**schema_of(hint), "description": docs[name], "default": defaults[name]}
        for name, hint in option_hints(task).items()
    }
    return {"type": "object", "description": " ".join((options.__doc__ or "").split()), "properties": properties}


def schema_of(hint: Any) -> Schema:
    """The JSON schema of a type: plain values, literals, tuples and sequences of one kind, and unions of these."""
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    if origin is Literal:
        return {"enum": list(members)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema_of(member) for member in members]}
    if origin in (tuple, Sequence):
        return {"type": "array", "items": schema_of(members[0])}
    raise TypeError(f"{hint} has no JSON schema here")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value that JSON can hold is of this type."""
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return type(value) in {type(member) for member in members}  # which of them, the task checks and says
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, member) for member in members)
    if origin in (tuple, Sequence):
        return isinstance(value, list | tuple) and all(fits(one, members[0]) for one in value)
    return type(value) is hint or (hint is float and type(value) is int)


def readable_options(task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without nulls for those that cannot be null; one of a kind that it can never have is a ``TaskError``.

    What values mean, and names that nobody knows, is the task's.
    """
    if not options:
        return {}
    for name in NOT_OVER_HTTP:
        if options.get(name) is not None:
            raise TaskError(f"{name} chooses among Python's kinds of arrays, but an answer over HTTP is JSON. Leave it out.")
    hints = option_hints(task)
    given = {name: value for name, value in options.items() if value is not None or fits(None, hints.get(name))}
    for name, value in task.translate(given).items():
        if name in hints and not fits(value, hints[name]):
            raise TaskError(
                f"{name} is {shown(value)}, but {task.name} takes {in_words(hints[name])}. Correct it or leave it out."
            )
    return given


def in_words(hint: Any) -> str:
    """A type as an error names it."""
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, members))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(in_words, members))
    if origin in (tuple, Sequence):
        return f"a list ({in_words(members[0])})"
    return {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}.get(hint, "null")
