"""Rows as people have them, in the one form that a task reads: of those that it learns from, and with columns that were named."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from headway.errors import DataError
from headway.evaluation.rows import Data, find_columns
from headway.tasks import Evaluation, Task
from headway.tasks.columns import require_column
from headway.tasks.task import as_they_are

Row: TypeAlias = Mapping[str, Any]


def in_one_form(source: Data, task: Task, named: Mapping[str, str]) -> tuple[Data, Mapping[str, str], tuple[str, ...]]:
    """The data in the form that is measured, the columns that are named in it, and what has to be said about it.

    Data that has the form already stays as it is, and is read row by row; other data is read at once, as in training.
    """
    if not has_forms(task):
        return source, named, ()
    first, source = source.first()
    if _is_arranged(_called(first, named), task):
        return source, named, ()
    rows = [_called(row, named) for row in source.rows()]
    found = list(task.trainable().arranged(rows))
    note = f"The {len(rows):,} rows were brought together to {len(found):,}, as in training: what is compared stands in one row."
    return replace(source, rows=lambda: found, once=False), {}, () if len(found) == len(rows) else (note,)


def by_role(rows: Sequence[Row], task: Task, evaluation: Evaluation, named: Mapping[str, str]) -> Sequence[Row]:
    """The rows with what the task reads called by its roles, where columns were named; else as they are."""
    if not named:
        return rows
    if has_forms(task):
        return [_called(row, named) for row in rows]
    inputs, references = find_columns(task, evaluation, rows[0], named)
    columns = {**inputs, **references}
    return [{role: row.get(column) for role, column in columns.items()} for row in rows]


def has_forms(task: Task) -> bool:
    """Whether rows of several forms are learnt from, and brought to one."""
    return task.training is not None and task.training.arranged is not as_they_are


def _called(row: Row, named: Mapping[str, str]) -> Row:
    """The row with the named columns called by what they were named for."""
    for column in named.values():
        require_column(column, row)
    kept = {name: cell for name, cell in row.items() if name not in named.values()}
    return {**kept, **{role: row[column] for role, column in named.items()}} if named else row


def _is_arranged(row: Row, task: Task) -> bool:
    try:
        return task.trainable().arranged([row])[0] is row
    except DataError:
        return False  # other rows may say what this one does not
