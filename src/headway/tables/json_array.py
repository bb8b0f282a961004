"""JSON: one array of objects, as most programs write tables whole. It is read at once; JSON Lines are read piece by piece."""

import json
import re
from collections.abc import Iterator
from typing import Any

from headway.errors import DataError
from headway.tables.form import Form, Opened, without_first
from headway.tables.rows import ROWS_AT_ONCE, Rows, batch_of

ARRAY = re.compile(rb"^\s*\[\s*(\{|\]|$)")

SHOWN = 40
"""Letters of an entry in a message."""


def matches(name: str, head: bytes) -> bool:
    """Whether a file begins as an array of objects does."""
    return ARRAY.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def read(opened: Opened, skip: int) -> Iterator[Rows]:
    """The objects as rows; whatever else stands in the array is a row with a fault."""
    return without_first(_blocks(_entries(opened), opened.name), skip)


def _entries(opened: Opened) -> list[Any]:
    try:
        entries = json.loads(opened.stream.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{opened.name} begins like a JSON array, but is none ({error}). Mend it, or write one object a line as .jsonl."
        ) from error
    if not isinstance(entries, list):
        raise DataError(f"{opened.name} holds a JSON {type(entries).__name__}, but a table is an array of objects.")
    return entries


def _blocks(entries: list[Any], name: str) -> Iterator[Rows]:
    for start in range(0, len(entries), ROWS_AT_ONCE):
        block = entries[start : start + ROWS_AT_ONCE]
        faults = {
            place: f"Entry {start + place + 1} of {name} is {json.dumps(entry)[:SHOWN]}, but each must be one object of columns."
            for place, entry in enumerate(block)
            if not isinstance(entry, dict)
        }
        rows = [entry if isinstance(entry, dict) else {} for entry in block]
        yield Rows(batch_of(rows), faults, (start + len(block)) / len(entries))


FORM = Form(name="json", suffixes=(".json",), matches=matches, read=read)
