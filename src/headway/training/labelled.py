"""Rows of a table as their task reads them: what the model reads, what it learns, and what its answers are measured against."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from headway.errors import DataError, HeadwayError
from headway.evaluation.measuring import evaluation_of
from headway.evaluation.rows import find_columns
from headway.settings.training import AllTokens
from headway.tasks import Encoded, Example, ModelFacts, Prepared, Scorer, Task
from headway.tasks.entity_scorer import EntityScorer
from headway.tasks.labels import is_nothing
from headway.tasks.note import noted_options

ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Asked:
    """Inputs that the task answers, with the references of their answers, cells by role."""

    prepared: Prepared
    scorer: Scorer
    inputs: Sequence[Encoded]
    references: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Measurable:
    """Rows on which a model can be measured; ``asked`` is None where there are only tokens, or no references."""

    examples: Sequence[Example]
    asked: Asked | None = None

    @property
    def is_labelled(self) -> bool:
        """Whether all of them have targets."""
        return all(example.target is not None for example in self.examples)


@dataclass(frozen=True)
class RowReader:
    """Reads the rows of a table by their task, for one model. ``name`` is what messages call the rows."""

    task: Task
    facts: ModelFacts
    rows: Sequence[Mapping[str, Any]]
    name: str
    max_length: int | None = None
    labelled: bool = True
    """Whether the rows have to have references."""
    all_tokens: AllTokens = "no"
    """What the further tokens of words learn."""
    first: int = 0
    """From what number on messages count rows: 0 for lists, as Python does, and 1 for files."""

    def examples(self) -> list[Example]:
        """What is learnt from the rows; of an input nothing else is kept."""
        return [example for number, encoded in self._encoded() for example in self._learnt(number, encoded)]

    def measurable(self) -> Measurable:
        """The rows with all that it takes to measure answers to them, or where they need no references to answer them."""
        if not self.labelled:
            return self._readable()
        found = list(self._encoded())
        examples = [example for number, encoded in found for example in self._learnt(number, encoded)]
        scorer = evaluation_of(self.task).prepare(self.facts, self._options)
        inputs, references = [encoded for _, encoded in found], [self._reference(number) for number, _ in found]
        if isinstance(scorer, EntityScorer):
            scorer = scorer.reading(reference["labels"] for reference in references)
        return Measurable(examples, Asked(self._prepared, scorer, inputs, references))

    def _readable(self) -> Measurable:
        found = [encoded.sequences for _, encoded in self._encoded()]
        if self.task.head == "multiple-choice":
            return Measurable([Example(sequences, None) for sequences in found])
        return Measurable([Example((sequence,), None) for sequences in found for sequence in sequences])

    @cached_property
    def _columns(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The columns of inputs and of references, by role; of inputs alone where no references are wanted."""
        try:
            if not self.labelled:
                return self.task.table.find(self.rows[0]), {}
            found: tuple[Mapping[str, str], Mapping[str, str]] = find_columns(
                self.task, evaluation_of(self.task), self.rows[0], {}
            )
        except DataError as error:
            raise type(error)(f"{self.name}: {error}") from error
        return found

    @cached_property
    def _options(self) -> Any:
        limit = {} if self.max_length is None else {"max_length": self.max_length}
        noted = {name: value for name, value in noted_options(self.facts.config, self.task.name).items() if name != "max_length"}
        return self.task.choose({**noted, **evaluation_of(self.task).options, **limit})

    @cached_property
    def _prepared(self) -> Prepared:
        return self.task.prepare(self.facts, self._options)

    def _encoded(self) -> Iterator[tuple[int, Encoded]]:
        """The rows' numbers and what the model reads of each."""
        for start in range(0, len(self.rows), ROWS_AT_ONCE):
            numbers = range(start, min(start + ROWS_AT_ONCE, len(self.rows)))
            items = [self._item(number) for number in numbers]
            try:
                found = self._prepared.encode(items)
            except HeadwayError:
                found = [self._alone(number, item) for number, item in zip(numbers, items, strict=True)]
            yield from zip(numbers, found, strict=True)

    def _alone(self, number: int, item: Any) -> Encoded:
        """One row as the model reads it; an error names it."""
        try:
            return self._prepared.encode([item])[0]
        except HeadwayError as error:
            raise type(error)(f"{self._called(number)}: {error}") from error

    def _called(self, number: int) -> str:
        """A row as messages call it."""
        return f"Row {self.first + number} of {self.name}"

    def _item(self, number: int) -> Any:
        cells = {role: self.rows[number].get(column) for role, column in self._columns[0].items()}
        for role, cell in cells.items():
            if is_nothing(cell):
                raise DataError(
                    f"{self._called(number)} holds nothing in column {self._columns[0][role]!r}, which the model reads. "
                    "Correct or remove the row, or name another column."
                )
        return self.task.table.item(cells)

    def _reference(self, number: int) -> dict[str, Any]:
        cells = {role: self.rows[number].get(column) for role, column in self._columns[1].items()}
        if all(map(is_nothing, cells.values())):
            raise DataError(
                f"{self._called(number)} has no label in column {', '.join(self._columns[1].values())}, so nothing can be "
                "learnt from it. Correct or remove the row, or name another column."
            )
        return cells

    def _learnt(self, number: int, encoded: Encoded) -> Sequence[Example]:
        reference = self._reference(number)
        training = self.task.trainable()
        try:
            found = training.examples(encoded, reference, self.facts)
            if training.by_all_tokens is None or self.all_tokens == "no":
                return found
            return training.by_all_tokens(found, encoded, self.facts, inside=self.all_tokens == "inside")
        except DataError as error:
            raise type(error)(f"{self._called(number)}: {error}") from error


def tells_references(rows: Sequence[Mapping[str, Any]], task: Task, facts: ModelFacts) -> bool:
    """Whether the rows have columns of references, and each row has one."""
    evaluation = evaluation_of(task)
    try:
        roles = evaluation.table.find(rows[0])
    except DataError:
        return False
    return not any(evaluation.is_withheld({role: row.get(name) for role, name in roles.items()}, facts) for row in rows)
