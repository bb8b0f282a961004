"""The OpenAPI 3.1 document: every dialect's routes, and every task with its options, written from what they are made of."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headway import __version__
from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._kinds import options_schema
from headway.serving.refusals import RefusedError
from headway.serving.routing import NAME
from headway.tasks import Task, task_names
from headway.tasks import task as find_task

Json = dict[str, Any]

JSON = "application/json"
BY_TASK = "/tasks/{task}"
"""The route that is written out for each task, with its options."""
WIDE = "Names of models may contain slashes."
EXAMPLE = RefusedError("What is wrong, why, and how to mend it.", reason="invalid")


def document(dialects: Sequence[Dialect]) -> Json:
    """The document of these dialects, as one JSON object."""
    paths: dict[str, Json] = {}
    for dialect in dialects:
        for route in dialect.routes:
            for path, operation in () if route.hidden else operations(route, dialect):
                methods, method = paths.setdefault(path, {}), route.method.lower()
                methods[method] = joined(methods[method], operation) if method in methods else operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headway",
            "version": __version__,
            "summary": "Every encoder task, in the dialects that clients already speak.",
        },
        "tags": [{"name": dialect.name, "description": dialect.summary} for dialect in dialects if _is_shown(dialect)],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {options_name(task): options_schema(task) for task in map(find_task, task_names())},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def operations(route: Route, dialect: Dialect) -> Iterable[tuple[str, Json]]:
    """A route's path and what is said of it; that of all tasks once for each."""
    if route.path != BY_TASK:
        yield NAME.sub(r"{\1}", route.path), operation(route, dialect)
        return
    for name in task_names():
        task = find_task(name)
        path = route.path.replace("{task}", name)
        yield path, {**operation(route, dialect, task=task), "summary": task.summary.capitalize()}


def operation(route: Route, dialect: Dialect, *, task: Task | None = None) -> Json:
    """What is said of a route: its summary, what goes in, and what comes out."""
    names = [] if task else [found[1] for found in NAME.finditer(route.path)]
    words = re.findall(r"\w+", f"{dialect.name} {route.method} {route.path if task is None else task.name}".lower())
    wide = {"description": WIDE} if "..." in route.path else {}
    content = {JSON: {"schema": route.response}} if route.response is not None else {}
    said: Json = {
        "tags": [dialect.name],
        "operationId": "_".join(words),
        "summary": route.summary,
        **wide,
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names],
        "responses": {"200": {"description": "The answer", "content": content}, "default": error(dialect)},
        "security": [] if route.public else [{"key": []}, {}],
    }
    body = with_options(route.request, task)
    return said if body is None else {**said, "requestBody": {"required": True, "content": {JSON: {"schema": body}}}}


def with_options(body: Mapping[str, Any] | None, task: Task | None) -> Json | None:
    """A body's schema, in which options are those of the task, or for a route of all tasks those of any."""
    if body is None:
        return None
    found = json.loads(json.dumps(body))
    for name in {"options", "parameters"} & set(found.get("properties", {})):
        if task is not None:
            found["properties"][name] = {"$ref": f"#/components/schemas/{options_name(task)}"}
    return found  # type: ignore[no-any-return]


def error(dialect: Dialect) -> Json:
    """How the dialect refuses: its own words for an example, and the schema that they have."""
    refused = dialect.refuse(EXAMPLE)
    example = json.loads(refused.body)
    return {
        "description": f"Refused: {refused.status} for a body that means nothing",
        "content": {JSON: {"schema": schema_like(example), "example": example}},
    }


def schema_like(example: Any) -> Json:
    """The schema of values like this one: objects with these names, and the kinds of what they hold; null may be anything."""
    if isinstance(example, dict):
        return {"type": "object", "properties": {name: schema_like(value) for name, value in example.items()}}
    kinds = {str: "string", bool: "boolean", int: "number", float: "number", list: "array"}
    return {} if example is None else {"type": kinds[type(example)]}


def joined(first: Json, second: Json) -> Json:
    """Two operations with one address, of which the body tells which is meant."""
    said = {**first, "tags": [*first["tags"], *second["tags"]], "summary": _both(first["summary"], second["summary"])}
    for key in ("requestBody",):
        if key in first and key in second:
            said[key] = {"required": True, "content": _either(first[key]["content"], second[key]["content"])}
    said["responses"] = {
        name: {**first["responses"][name], "content": _either(first["responses"][name]["content"], one["content"])}
        for name, one in second["responses"].items()
    }
    return said


def options_name(task: Task) -> str:
    """The name of the schema of a task's options."""
    return f"{task.name}-options"


def _either(first: Json, second: Json) -> Json:
    schemas = [one[JSON]["schema"] for one in (first, second) if JSON in one]
    return {JSON: {"schema": {"anyOf": schemas}}} if schemas else {}


def _both(first: str, second: str) -> str:
    return first if first == second else f"{first}; {second[:1].lower()}{second[1:]}"


def _is_shown(dialect: Dialect) -> bool:
    return any(not route.hidden for route in dialect.routes)
