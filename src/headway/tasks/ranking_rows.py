"""The forms in which people have data for ranking, brought into the one that is learnt from and measured on.

A query with its documents and one relevance for each; a row for each query and document; or a query with what answers it and
what does not. What a model learns from a pair is its relevance.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from headway.errors import DataError
from headway.tasks.columns import PAIRS
from headway.tasks.labels import is_nothing
from headway.tasks.references import number
from headway.tasks.task import Encoded, Example, Labels, ModelFacts

Row: TypeAlias = Mapping[str, Any]

QUERIES = ("query", "question", "claim", "topic", "search_query", "anchor")
DOCUMENTS = ("documents", "passages", "texts", "candidates", "document", "passage", "text", "context", "sentence", "answer")
RELEVANCES = ("relevance", "relevances", "is_selected", "is_relevant", "relevant", "labels", "label", "score")
POSITIVE, NEGATIVE = ("positive", "pos"), ("negative", "neg", "hard_negative")
SEVERAL = "multi_label_classification"
"""What a single label is to a model whose score is a chance: relevant or not."""


def arranged(rows: Sequence[Row]) -> Sequence[Row]:
    """A row for each query, with a list of documents and one of relevances; columns that fit no form are a ``DataError``."""
    names = list(rows[0])
    query = next((name for name in QUERIES if name in names), None)
    positives = [name for name in names if name.lower().startswith(POSITIVE)]
    negatives = [name for name in names if name.lower().startswith(NEGATIVE)]
    if query is not None and positives:
        return [_with_answers(row, query, positives, negatives) for row in rows]
    document = next((name for name in DOCUMENTS if name in names and name != query), None)
    if query is None or document is None:
        query, document = next((pair for pair in PAIRS if set(pair) <= set(names)), (None, None))
    relevance = next((name for name in RELEVANCES if name in names), None)
    if query is None or document is None or relevance is None:
        raise DataError(
            f"The columns {', '.join(map(str, names)) or '(none)'} are none that ranking is learnt from. Give a query with its "
            "documents and their relevance (query, documents, relevance), one pair a row (query, document, label), or what "
            "answers a query and what does not (query, positive, negative)."
        )
    if isinstance(rows[0].get(document), list | tuple):
        if query in QUERIES and document in DOCUMENTS:
            return rows
        return [{"query": row.get(query), "documents": row.get(document), "relevance": row.get(relevance)} for row in rows]
    return _grouped(rows, query, document, relevance)


def _with_answers(row: Row, query: str, positives: Sequence[str], negatives: Sequence[str]) -> Row:
    right, wrong = (
        [text for name in names for text in _each(row.get(name)) if not is_nothing(text)] for names in (positives, negatives)
    )
    return {"query": row.get(query), "documents": [*right, *wrong], "relevance": [1.0] * len(right) + [0.0] * len(wrong)}


def _grouped(rows: Sequence[Row], query: str, document: str, relevance: str) -> list[Row]:
    """A row for each query, in the order in which they came. Cells without a value are left to be refused where they are read."""
    found: dict[Any, tuple[list[Any], list[Any]]] = {}
    for place, row in enumerate(rows):
        if is_nothing(row.get(relevance)):
            raise DataError(
                f"Row {place} has no relevance in column {relevance!r}, so nothing can be learnt from it. Correct or remove the "
                "row, or name another column."
            )
        documents, relevances = found.setdefault(row.get(query), ([], []))
        documents.append(row.get(document))
        relevances.append(row.get(relevance))
    return [{"query": asked, "documents": pair[0], "relevance": pair[1]} for asked, pair in found.items()]


def _each(cell: Any) -> list[Any]:
    return list(cell) if isinstance(cell, list | tuple) else [cell]


def examples(encoded: Encoded, reference: Mapping[str, Any], facts: ModelFacts) -> list[Example]:
    """Each document of a query with its relevance; the same text twice is one, as relevant as the more relevant of them."""
    relevances, parts = list(reference["relevance"]), encoded.memory.parts
    if len(relevances) != len(parts):
        raise DataError(
            f"A query has {len(parts)} documents but {len(relevances)} relevances. Give one number for each, in their order."
        )
    found = [0.0] * len(encoded.sequences)
    for part, relevance in zip(parts, relevances, strict=True):
        found[part.start] = max(found[part.start], number(relevance))
    return [Example((sequence,), (relevance,)) for sequence, relevance in zip(encoded.sequences, found, strict=True)]


def labels(references: Any, problem: str | None) -> Labels:
    """A single label: how relevant a document is."""
    return Labels(("LABEL_0",), SEVERAL)
