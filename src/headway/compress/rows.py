"""The rows that a student learns from: by their task, with or without labels, or as plain texts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from headway.errors import DataError
from headway.evaluation.measuring import evaluation_of
from headway.tables import read_rows
from headway.tasks import Example, ModelFacts, Task
from headway.tasks import task as find_task
from headway.text.files import check_files, read_lines
from headway.training.labelled import Measurable, RowReader

Rows = Sequence[Mapping[str, Any]]


def rows_of(path: str) -> list[dict[str, Any]]:
    """The rows of a file; none is a ``DataError``."""
    rows = [dict(row) for row in read_rows(path)]
    if not rows:
        raise DataError(
            f"{path} has no rows, so there is nothing to learn from or to measure. Give a file with at least one row."
        )
    return rows


def examples_of(rows: Rows, task: Task, facts: ModelFacts, *, name: str, max_length: int | None) -> list[Example]:
    """What is learnt from the rows: those with labels first, each with its target, then the others without any."""
    labelled, others = divided(rows, task, facts)
    found: list[Example] = []
    if labelled:
        found += RowReader(task, facts, labelled, name, max_length).examples()
    if others:
        found += RowReader(task, facts, others, name, max_length, labelled=False).measurable().examples
    return found


def measurable_of(rows: Rows, task: Task, facts: ModelFacts, *, name: str, max_length: int | None) -> Measurable:
    """Labelled rows with all that it takes to measure answers to them."""
    return RowReader(task, facts, rows, name, max_length).measurable()


def divided(rows: Rows, task: Task, facts: ModelFacts) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The rows whose references say something, and the others."""
    evaluation = evaluation_of(task)
    try:
        columns = evaluation.table.find(rows[0])
    except DataError:
        return [], list(rows)
    withheld = [evaluation.is_withheld({role: row.get(name) for role, name in columns.items()}, facts) for row in rows]
    labelled = [row for row, is_withheld in zip(rows, withheld, strict=True) if not is_withheld]
    return labelled, [row for row, is_withheld in zip(rows, withheld, strict=True) if is_withheld]


def texts_of(files: Sequence[str], train: str | None, *, progress: bool) -> list[str]:
    """The texts to embed: each line of text files that holds one, or the texts of each row, each once."""
    if train is None:
        lines = read_lines(check_files([Path(file) for file in files]), progress=progress, doing="Reading texts")
        found: Iterator[str] = (line.strip() for line in lines)
    else:
        rows = rows_of(train)
        columns = find_task("text-classification").table.find(rows[0]).values()
        found = (str(row[column]).strip() for row in rows for column in columns if row.get(column) is not None)
    texts = list(dict.fromkeys(text for text in found if text))
    if not texts:
        raise DataError(f"There is no text in {train or ', '.join(files)}, so there is nothing to learn from. Give texts.")
    return texts
