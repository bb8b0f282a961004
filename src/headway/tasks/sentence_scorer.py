"""How sentence vectors are measured while they are learnt: against similarities, or by what is found among everything else.

Shapes: N rows, C texts of a row, V values of a vector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.tasks.correlation import pearson, spearman
from headway.tasks.correlation_scorer import CorrelationScorer
from headway.tasks.ranking_scorer import RANKS
from headway.tasks.references import number
from headway.tasks.similarities import SIMILARITIES
from headway.tasks.task import Details

AT_ONCE = 1024
"""Rows that are compared with all texts together."""


@dataclass(frozen=True)
class Observed:
    """What is kept of a row: its similarity and the model's, or the vectors of a text and those that it is compared with."""

    wanted: float | None
    found: float
    vectors: np.ndarray | None


@dataclass(frozen=True)
class SentenceScorer:
    """Vectors of a row's texts, (1 + others, values), against the cell ``label``: a similarity, or which other belongs."""

    similarity: str

    def observe(self, answer: np.ndarray, reference: Mapping[str, Any]) -> Observed:
        """The similarities; of texts that belong together the vectors, which are compared with all others in the end."""
        found = float(SIMILARITIES[self.similarity](answer[0], answer[1:2])[0])
        if isinstance(reference["label"], list | tuple):
            return Observed(None, found, answer)
        return Observed(number(reference["label"]), found, None)

    def gather(self, observations: Sequence[Observed]) -> np.ndarray:
        """(rows, 2): the similarity and the model's, or the rank of the text that belongs and NaN."""
        if observations and observations[0].vectors is not None:
            ranks_N = self._ranks([one.vectors for one in observations if one.vectors is not None])
            return np.stack([ranks_N, np.full(len(ranks_N), np.nan)], axis=1)
        return np.array([(one.wanted, one.found) for one in observations], dtype=np.float64).reshape(-1, 2)

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """Both correlations; or how often the text that belongs is the nearest of all, and its mean reciprocal rank up to 10."""
        first_N, second_N = table_NK[:, 0], table_NK[:, 1]
        if len(table_NK) and np.isnan(second_N).all():
            return {"mrr@10": float(np.where(first_N <= 10, 1 / first_N, 0).mean()), "accuracy@1": float((first_N == 1).mean())}
        return {"spearman": spearman(second_N, first_N), "pearson": pearson(second_N, first_N)}

    def wrongness(self, answer: np.ndarray, reference: Mapping[str, Any]) -> float:
        """How far a similarity is from the reference; or how far the text that belongs is from the other."""
        found = self.observe(answer, reference)
        return 1 - found.found if found.wanted is None else CorrelationScorer().wrongness(found.found, reference)

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """The similarities for references of like size; or where the texts that belong stand."""
        ranks_N, second_N = table_NK[:, 0], table_NK[:, 1]
        if not np.isnan(second_N).all():
            return CorrelationScorer().details(table_NK)
        rows = tuple((name, int(((low <= ranks_N) & (ranks_N <= high)).sum())) for name, low, high in RANKS)
        return [Details("Rank of the text that belongs, among all", ("rank", "rows"), rows[:-1])]

    def similarities(self, answer: np.ndarray) -> list[float]:
        """How alike the text and each of the others are, in place of their vectors."""
        found: list[float] = SIMILARITIES[self.similarity](answer[0], answer[1:]).tolist()
        return found

    def _ranks(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """At which place, from 1 on, the text that belongs stands among all that are compared with any; equal ones share it."""
        everything = np.concatenate([row_CV[1:] for row_CV in rows])
        compare, ranks = SIMILARITIES[self.similarity], []
        for row_CV in rows:
            own = compare(row_CV[0], row_CV[1:2])[0]
            ranks.append(1 + int((compare(row_CV[0], everything) > own + 1e-6).sum()))
        return np.array(ranks, dtype=np.float64)
