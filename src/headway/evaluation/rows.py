"""Labelled rows, from files and from what people have in memory, as inputs and references of a task."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from headway.errors import DataError
from headway.evaluation.labelling import MOST_LABELS, LabelNames
from headway.tasks import Evaluation, ModelFacts, Task
from headway.tasks.labels import is_nothing

LOOKED_AT = 10_000
"""Rows after a bad one that are read for their labels alone."""


@dataclass(frozen=True)
class LabelledRow:
    """One row: its number from 1 on, the task's input, and the cells of the reference by role."""

    number: int
    item: Any
    reference: Mapping[str, Any]


@dataclass(frozen=True)
class Data:
    """Rows by column name, that can be read from the beginning as often as one likes unless ``once``."""

    name: str
    rows: Callable[[], Iterable[Mapping[str, Any]]]
    once: bool = False
    features: Mapping[str, Any] = field(default_factory=dict)
    """What the data says of its columns, where it is one of the library ``datasets``."""
    is_file: bool = False

    def first(self) -> "tuple[Mapping[str, Any], Data]":
        """The first row, and the data with that row still to come."""
        rows = iter(self.rows())
        first = next(rows, None)
        if first is None:
            raise DataError(f"{self.name} has no rows, so there is nothing to measure. Give data with at least one labelled row.")
        if not isinstance(first, Mapping):
            raise DataError(
                f"The first row of {self.name} is a {type(first).__name__}, but a row maps columns to cells, such as "
                '{"text": …, "label": …}. Give rows of that form.'
            )
        return first, replace(self, rows=lambda: chain([first], rows)) if self.once else self

    def label_names(self, column: str) -> tuple[str, ...]:
        """What a column's numbers mean, where the data says so."""
        feature = self.features.get(column)
        feature = getattr(feature, "feature", feature)  # of a list
        return tuple(getattr(feature, "names", None) or ())


@dataclass
class Counts:
    """What was seen of the rows so far."""

    rows: int = 0
    left_out: int = 0
    labels: dict[str, None] = field(default_factory=dict)

    def see(self, cells: Mapping[str, Any]) -> None:
        """Count a row, and remember its label."""
        self.rows += 1
        label = cells.get("label")
        if isinstance(label, str | int) and len(self.labels) < MOST_LABELS:
            self.labels[str(label)] = None


def data_of(source: Any) -> Data:
    """A file, or rows in memory: mappings, a data set of the library ``datasets``, or a data frame of pandas or Polars."""
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise DataError(f"There is no file {path}, so there is nothing to measure on. Check the path of the data.")
        return Data(str(path), lambda: _file_rows(path), is_file=True)
    if hasattr(source, "iter_rows"):
        return Data("rows in memory", lambda: source.iter_rows(named=True))
    if hasattr(source, "itertuples"):
        return Data("rows in memory", lambda: source.to_dict("records"))
    if isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
        features = getattr(source, "features", None)
        once = not isinstance(source, Sized)
        return Data("rows in memory", lambda: source, once, features if isinstance(features, Mapping) else {})
    raise DataError(
        f"The data is a {type(source).__name__}, but rows are needed: a file's path, or mappings from column names to cells, "
        'such as [{"text": …, "label": …}].'
    )


def _file_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    from headway.tables import read_rows

    return read_rows(path)


@dataclass(frozen=True)
class Reader:
    """Reads the rows of some data for a task and its measure."""

    task: Task
    evaluation: Evaluation
    facts: ModelFacts
    inputs: Mapping[str, str]
    references: Mapping[str, str]
    translate: LabelNames
    withheld: dict[Any, bool] = field(default_factory=dict)
    """Whether references that came already tell anything: labels come again and again."""

    def read(self, data: Data, counts: Counts, *, limit: int | None) -> Iterator[LabelledRow]:
        """The rows with a reference, counted; one that cannot be read is a ``DataError`` with its number."""
        return islice(self._labelled(data, counts), limit)

    def _labelled(self, data: Data, counts: Counts) -> Iterator[LabelledRow]:
        rows = enumerate(data.rows(), 1)
        for number, row in rows:
            raw = {role: row.get(column) for role, column in self.references.items()}
            counts.see(raw)
            reference = {role: self.translate(value) for role, value in raw.items()}
            try:
                is_withheld = self._is_withheld(reference)
            except DataError as error:
                for _, later in islice(rows, LOOKED_AT):
                    counts.see({role: later.get(column) for role, column in self.references.items()})
                raise row_error(error, number, counts) from error
            if is_withheld:
                counts.left_out += 1
            else:
                yield LabelledRow(number, self._item(row, number, data.name), reference)

    def _is_withheld(self, reference: Mapping[str, Any]) -> bool:
        key = tuple((type(value), value) for value in reference.values())
        if not all(kind in (str, int) for kind, _ in key):
            return self.evaluation.is_withheld(reference, self.facts)
        if key not in self.withheld:
            if len(self.withheld) >= MOST_LABELS:
                self.withheld.clear()
            self.withheld[key] = self.evaluation.is_withheld(reference, self.facts)
        return self.withheld[key]

    def _item(self, row: Mapping[str, Any], number: int, name: str) -> Any:
        cells = {role: row.get(column) for role, column in self.inputs.items()}
        for role, cell in cells.items():
            if is_nothing(cell):
                raise DataError(
                    f"Row {number} of {name} holds nothing in column {self.inputs[role]!r}, which the model reads. Correct or "
                    "remove the row, or name another column."
                )
        return self.task.table.item(cells)


def find_columns(task: Task, evaluation: Evaluation, names: Iterable[str], named: Mapping[str, str]) -> tuple[Any, Any]:
    """The columns of the inputs and of the references, by role; those that are named win."""
    names = list(names)
    roles = {*task.table.roles, *evaluation.table.roles}
    if unknown := [role for role in named if role not in roles]:
        raise DataError(
            f"{unknown[0]!r} is nothing that {task.name} reads or is measured by. Columns can be named for "
            f"{', '.join(sorted(roles))}."
        )
    references = {role: column for role, column in named.items() if role in evaluation.table.roles}
    inputs = {role: column for role, column in named.items() if role in task.table.roles}
    found = evaluation.table.find(names, references, taken=inputs.values())
    return task.table.find(names, inputs, taken=found.values()), found


def row_error(error: DataError, number: int, counts: Counts) -> DataError:
    """The error with the row's number, and with the labels that the data has."""
    labels = f" The data's labels are {', '.join(sorted(counts.labels))}." if len(counts.labels) > 1 else ""
    return type(error)(f"Row {number}: {error}{labels}")
