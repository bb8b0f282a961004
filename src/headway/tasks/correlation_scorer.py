"""How scores are measured whose scale is not that of the references: by how they go up and down together.

Shapes: N inputs, B bins of the references.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.tasks.correlation import pearson, spearman
from headway.tasks.references import number
from headway.tasks.task import Details

BINS = 5


@dataclass(frozen=True)
class CorrelationScorer:
    """A number against the number in the reference's cell ``label``. An observation is the reference and the answer.

    ``largest`` is the reference that stands for an answer of 1, which is all that ``wrongness`` knows of their scales.
    """

    read: Callable[[Any], float] = float
    largest: float = 5.0

    def observe(self, answer: Any, reference: Mapping[str, Any]) -> tuple[float, float]:
        """The reference and the answer."""
        return number(reference["label"]), self.read(answer)

    def gather(self, observations: Sequence[Any]) -> np.ndarray:
        """(inputs, 2)."""
        return np.array(observations, dtype=np.float64).reshape(-1, 2)

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """Both correlations; that of the ranks first, since only the order of similarities means something."""
        references_N, answers_N = table_NK[:, 0], table_NK[:, 1]
        return {"spearman": spearman(answers_N, references_N), "pearson": pearson(answers_N, references_N)}

    def wrongness(self, answer: Any, reference: Mapping[str, Any]) -> float:
        """How far the answer is from the reference on the scale on which ``largest`` is 1."""
        right, given = self.observe(answer, reference)
        return abs(given - right / self.largest)

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """The answers for references of like size."""
        references_N, answers_N = table_NK[:, 0], table_NK[:, 1]
        if not len(references_N):
            return []
        edges = np.linspace(references_N.min(), references_N.max(), BINS + 1)
        bin_N = np.clip(np.searchsorted(edges, references_N, side="right") - 1, 0, BINS - 1)
        rows = [_row(edges[place : place + 2], answers_N[bin_N == place]) for place in range(BINS) if (bin_N == place).any()]
        return [Details("Answers by reference", ("references", "inputs", "mean", "deviation", "least", "most"), tuple(rows))]


def _row(edges: np.ndarray, answers_B: np.ndarray) -> tuple[Any, ...]:
    spread = (answers_B.mean(), answers_B.std(), answers_B.min(), answers_B.max())
    return (f"{edges[0]:g} to {edges[1]:g}", len(answers_B), *map(float, spread))
