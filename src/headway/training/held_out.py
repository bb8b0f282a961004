"""Data to measure on, in all its forms: one set or several by name, with labels of its own or a collator's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from headway.training.labelled import Measurable
from headway.training.out_of_memory import run_what_fits
from headway.training.reading import Reading
from headway.training.rows import Collator, collated_batch
from headway.training.scoring import PredictionOutput, Scoring
from headway.training.sources import rows_of

Scores: TypeAlias = Callable[[], dict[str, float]]
TRIED = 2
"""Rows on which it is tried which scores there are."""


@dataclass(frozen=True)
class HeldOut:
    """How held-out data is read, and the model measured on it."""

    reading: Reading
    scoring: Scoring
    collator: Collator | None
    own_loss: bool
    rows_at_once: int

    def scores_of(self, data: Any, prefix: str) -> Scores:
        """What measures the model on the data, or on each of several by name; they are read once, now."""
        if isinstance(data, Mapping):
            several = [self.scores_of(rows, f"{prefix}_{name}") for name, rows in data.items()]
            return lambda: {name: value for run in several for name, value in run().items()}
        rows = rows_of(data, "eval_dataset")
        measurable = self._readable(rows)
        if measurable is None:
            return lambda: self._collated_loss(rows, prefix)
        return lambda: self.scoring.scores(measurable, prefix)

    def predict(self, data: Any, prefix: str) -> PredictionOutput:
        """Logits of all rows in order, and metrics where the rows have labels."""
        rows = self.reading.measurable(rows_of(data, "test_dataset"), "test_dataset", labelled=False)
        return self.scoring.predict(rows, prefix)

    def tried(self, data: Any) -> dict[str, float]:
        """The scores on a few rows, to see which there are."""
        quietly = replace(self, scoring=replace(self.scoring, tell=lambda: None))
        return quietly.scores_of(_few(data), "eval")()

    def _readable(self, rows: Any) -> Measurable | None:
        """The rows as they are measured; None where only a data collator can say what their labels are."""
        if self.collator is not None and not self.reading.is_raw(rows):
            found = Measurable(self.reading.examples(rows, "eval_dataset", labelled=False))
            if all(example.target is None for example in found.examples):
                return None
        return self.reading.measurable(rows, "eval_dataset")

    def _collated_loss(self, rows: Any, prefix: str) -> dict[str, float]:
        scoring, collator = self.scoring, self.collator
        assert collator is not None

        def run(indices: Sequence[int]) -> tuple[float, int]:
            batch = collated_batch([rows[index] for index in indices], collator, scoring.model, keep=self.own_loss)
            with scoring.precision():
                return float(scoring.objective.loss_sum(scoring.model, batch)), batch.count

        starts = range(0, len(rows), self.rows_at_once)
        plan = [range(start, min(start + self.rows_at_once, len(rows))) for start in starts]
        total, targets = 0.0, 0
        for _, (loss, count) in run_what_fits(run, plan, device=scoring.model.device):
            total, targets = total + loss, targets + count
            scoring.tell()
        return {f"{prefix}_loss": total / (targets or 1)}


def _few(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {name: _few(rows) for name, rows in data.items()}
    rows = rows_of(data, "eval_dataset")
    return [rows[index] for index in range(min(TRIED, len(rows)))]
