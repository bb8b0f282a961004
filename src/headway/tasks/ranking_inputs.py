"""How a query and its documents are handed over: by two names, by position, or in one mapping."""

from collections.abc import Iterable, Mapping, Sized
from types import GeneratorType
from typing import Any, TypeAlias

from headway.errors import InputError, TaskError
from headway.tasks.calls import one_input
from headway.tasks.inputs import not_text, read_text

Ranking: TypeAlias = tuple[str, tuple[str, ...]]
"""A query and its documents."""

NAMES = ("documents", "texts")
"""What the documents may be called."""
WANTED = 'a query with its documents ({"query": …, "documents": […]})'
ADVICE = {
    str: ' Give its documents too: rank("query", ["document", …]).',
    list: ' For one query, write rank("query", ["document", …]).',
    tuple: ' For one query, write rank("query", ["document", …]).',
    type(None): " Leave it out.",
}
DOCUMENTS_ADVICE = {
    type(None): " Use an empty list.",
    GeneratorType: " Make it a list: list(documents).",
    bytes: " Decode it, and put it in a list.",
}


def read_ranking(item: Any) -> Ranking:
    """One query with its documents; a lone text is the only document."""
    if not isinstance(item, Mapping):
        raise not_text(item, WANTED, advice=ADVICE)
    named = [name for name in NAMES if name in item]
    if "query" not in item or len(named) != 1 or len(item) != 2:
        keys = ", ".join(map(repr, item)) or "none"
        raise InputError(f'An input has the keys {keys}, but a query has "query" and "documents". Rename them.')
    documents = item[named[0]]
    if isinstance(documents, str | Mapping):
        documents = [documents]
    if isinstance(documents, bytes | bytearray) or not (isinstance(documents, Iterable) and isinstance(documents, Sized)):
        raise not_text(documents, "a list of documents (strings)", advice=DOCUMENTS_ADVICE)
    return read_text(item["query"]), tuple(map(read_text, documents))


def read_call(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """``rank(query, documents)`` by position or by name, or what ``read_ranking`` reads: one such, or many."""
    options = dict(named)
    parts = [(name, options.pop(name)) for name in ("query", *NAMES) if name in options]
    if len(arguments) <= 1 and not parts:
        return one_input(arguments, options)
    by_position = [name for name in ("query", "documents") if name not in dict(parts)]
    given = [*zip(by_position, arguments, strict=False), *parts]
    if len(given) != 2 or len(arguments) + len(parts) != 2 or "query" not in dict(given) or "inputs" in options:
        raise TaskError(
            f"A call takes a query and its documents, but {len(arguments)} arguments were given by position and "
            f"{', '.join(name for name, _ in parts) or 'none'} by name. Write rank(query, documents, top_k=5), or give a list of "
            '{"query": …, "documents": […]}.'
        )
    return dict(given), options
