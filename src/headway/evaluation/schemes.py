"""Entities of the data that are written otherwise than the model's: CoNLL-2003's files have IOB1, and most models BIO."""

from itertools import islice

from headway.evaluation.labelling import LabelNames
from headway.evaluation.rows import LOOKED_AT, Data
from headway.tasks.entity_scorer import EntityScorer

NOTE = (
    "The data's entities are written in IOB1, where B- only divides two of one kind, and the model's in BIO: each entity of the "
    "data is given its B-."
)


def as_written(scorer: EntityScorer, source: Data, column: str, translate: LabelNames) -> tuple[EntityScorer, tuple[str, ...]]:
    """The measure for the data as it is written, told by its first rows, and what has to be said about that."""
    if source.once:
        return scorer, ()
    found = scorer.reading(translate(row.get(column)) for row in islice(source.rows(), LOOKED_AT))
    return found, (NOTE,) if found.begin_references else ()
