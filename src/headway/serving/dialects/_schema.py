"""Words for JSON schemas, so that a route's fit on a few lines."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 1}
ID: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}


def array(items: Schema, **more: int) -> Schema:
    """A list of such values."""
    return {"type": "array", "items": items, **more}


def either(*schemas: Schema) -> Schema:
    """One of these."""
    return {"anyOf": list(schemas)}


def perhaps(schema: Schema) -> Schema:
    """Such a value, or null."""
    return either(schema, {"type": "null"})


def record(*required: str, **properties: Schema) -> Schema:
    """An object with these values, some of which have to be there."""
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


TEXTS = array(TEXT)
TEXT_OR_TEXTS = either(TEXT, TEXTS)
IDS = array(ID, minItems=1)
TEXTS_OR_IDS = either(TEXT, IDS, array(either(TEXT, IDS), minItems=1))
LABELS = array(record("label", "score", label=TEXT, score=NUMBER))
VECTOR = array(NUMBER)
USAGE = record("prompt_tokens", "total_tokens", prompt_tokens=INTEGER, total_tokens=INTEGER)
