"""How many rows a job has answered, with how many errors and tokens, and which labels came how often."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from headway.bulk.answering import AnsweredPiece
from headway.bulk.columns import ERROR, labels_in
from headway.bulk.inputs import Place
from headway.inference.schedule import Answered

MOST_LABELS = 1000
"""Labels that are counted: a regression's numbers or a generator's words would be as many as there are rows."""


@dataclass
class Tally:
    """Counts up to some row of a job, and where that row is."""

    rows: int = 0
    errors: int = 0
    tokens: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    place: Place = field(default_factory=Place)

    def add(self, answered: AnsweredPiece, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count a piece."""
        self.rows += len(rows)
        self.errors += sum(ERROR.name in row for row in rows)
        self.tokens += sum(found.tokens for found in answered.found if isinstance(found, Answered))
        self._count(Counter(labels_in(rows)))
        self.place = answered.piece.end

    def include(self, later: "Tally") -> None:
        """Count what was counted of the rows that follow."""
        self.rows += later.rows
        self.errors += later.errors
        self.tokens += later.tokens
        self._count(later.labels)
        self.place = later.place

    def _count(self, labels: Mapping[str, int]) -> None:
        for label, number in labels.items():
            if label in self.labels or len(self.labels) < MOST_LABELS:
                self.labels[label] += number

    def to_dict(self) -> dict[str, Any]:
        """The counts, ready for JSON."""
        return {**vars(self), "labels": dict(self.labels), "place": vars(self.place)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The counts that ``to_dict`` gave; none at the beginning."""
        known = dict(values)
        return cls(**{**known, "labels": Counter(known.get("labels", {})), "place": Place(**known.get("place", {}))})


@dataclass(frozen=True)
class Summary:
    """What a job has done: all of it, and what of it in this run."""

    total: Tally
    before: int
    """Rows that an earlier run had done."""
    tokens_before: int
    seconds: float

    def __str__(self) -> str:
        """One line that says it all."""
        seconds = max(self.seconds, 1e-9)
        total, rows, tokens = self.total, self.total.rows - self.before, self.total.tokens - self.tokens_before
        earlier = f", {self.before:,} of them in earlier runs" if self.before else ""
        errors = f", {total.errors:,} with errors" if total.errors else ""
        labels = "; " + ", ".join(f"{label} {number:,}" for label, number in total.labels.most_common(20)) if total.labels else ""
        more = " …" if len(total.labels) > 20 else ""
        speed = f"{rows / seconds:,.0f} rows/s, {tokens / seconds:,.0f} tokens/s"
        return f"{total.rows:,} rows{errors}{earlier} in {self.seconds:,.1f} s ({speed}){labels}{more}"
