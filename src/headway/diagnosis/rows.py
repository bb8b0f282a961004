"""A run's rows as a diagnosis reads them: their texts, their labels, and how much of each the model reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.evaluation.measuring import evaluation_of
from headway.evaluation.rows import find_columns
from headway.tasks import ModelFacts, Task

AT_ONCE = 1024


@dataclass(frozen=True)
class Sheet:
    """The rows of a file."""

    task: Task
    rows: Sequence[Mapping[str, Any]]
    name: str

    @property
    def columns(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The columns of inputs and of references, by role."""
        inputs, references = find_columns(self.task, evaluation_of(self.task), self.rows[0], {})
        return inputs, references

    def texts(self) -> list[str]:
        """Each row's input as one text."""
        names = list(self.columns[0].values())
        return [" | ".join(_text(row.get(name)) for name in names) for row in self.rows]

    def labels(self) -> list[str]:
        """Each row's references as one text."""
        names = list(self.columns[1].values())
        return [" | ".join(_text(row.get(name)) for name in names) for row in self.rows]

    def lengths(self, facts: ModelFacts, *, max_length: int | None) -> Iterator[tuple[int, int]]:
        """Tokens of each row that the model reads, and tokens that are cut off."""
        evaluation, inputs = evaluation_of(self.task), self.columns[0]
        limit = {} if max_length is None else {"max_length": max_length}
        prepared = self.task.prepare(facts, self.task.choose({**evaluation.options, **limit, "count_dropped": True}))
        for start in range(0, len(self.rows), AT_ONCE):
            cells = [{role: row.get(name) for role, name in inputs.items()} for row in self.rows[start : start + AT_ONCE]]
            for encoded in prepared.encode([self.task.table.item(one) for one in cells]):
                yield encoded.tokens, encoded.dropped

    def some(self, places: np.ndarray) -> "Sheet":
        """Some of the rows."""
        return Sheet(self.task, [self.rows[int(place)] for place in places], self.name)


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
