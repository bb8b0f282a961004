"""How rankings are measured: the order of the answers against how relevant each document is said to be.

Shapes: N queries.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import DataError
from headway.tasks.columns import TableForm
from headway.tasks.metrics import ratio
from headway.tasks.ranking_metrics import average_precision, first_relevant, ndcg, reciprocal_rank
from headway.tasks.ranking_rows import RELEVANCES
from headway.tasks.task import Details

RELEVANCE = TableForm(roles={"relevance": RELEVANCES})
"""For each document, in the order of the row, how relevant it is."""
MEASURES = ("ndcg@10", "mrr@10", "map")
RANKS = (("1", 1, 1), ("2 to 3", 2, 3), ("4 to 10", 4, 10), ("beyond 10", 11, math.inf), ("none is relevant", 0, 0))


@dataclass(frozen=True)
class RankingScorer:
    """Rankings against the reference's cell ``relevance``: a number for each document, 0 for one that is not relevant.

    An observation is the three measures and the rank of the first relevant document. A query without any counts as 0.
    """

    def observe(self, answer: Any, reference: Mapping[str, Any]) -> tuple[float, ...]:
        """The measures of one ranking."""
        found = ranked_relevances(answer, reference["relevance"])
        return ndcg(found), reciprocal_rank(found), average_precision(found), float(first_relevant(found))

    def gather(self, observations: Sequence[Any]) -> np.ndarray:
        """(queries, 4)."""
        return np.array(observations, dtype=np.float64).reshape(-1, 4)

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """The averages over all queries."""
        return {name: ratio(table_NK[:, place].sum(), len(table_NK)) for place, name in enumerate(MEASURES)}

    def wrongness(self, answer: Any, reference: Mapping[str, Any]) -> float:
        """How far the order is from the best one, 0 to 1; 0 where nothing is relevant."""
        found = ranked_relevances(answer, reference["relevance"])
        return 1 - ndcg(found) if first_relevant(found) else 0.0

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """Where the first relevant document stands."""
        ranks_N = table_NK[:, 3]
        rows = tuple((name, int(((low <= ranks_N) & (ranks_N <= high)).sum())) for name, low, high in RANKS)
        return [Details("Rank of the first relevant document", ("rank", "queries"), rows)]


def ranked_relevances(answer: Sequence[Mapping[str, Any]], cell: Any) -> list[float]:
    """The relevance of each document in the order of the answer."""
    if isinstance(cell, str | Mapping) or not isinstance(cell, Iterable):
        raise DataError(
            f"The relevance of a query's documents is {cell!r}, but an order is measured where a row has a list of documents and "
            "one number for each. Bring the documents of a query into one row."
        )
    relevances = list(map(_relevance, cell))
    if len(relevances) != len(answer):
        raise DataError(
            f"A query has {len(answer)} documents but {len(relevances)} relevances. Give one number for each, in their order."
        )
    return [relevances[one["corpus_id"]] for one in answer]


def _relevance(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf:
        raise DataError(
            f"The relevance of a document is {value!r}, but it is 0 for one that does not answer the query, or more. Correct the "
            "row, or name another column."
        )
    return found
