"""What a distillation comes to: parameters, size, speed and score of teacher and student, and how much of the score is kept."""

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headway.checkpoints import weight_files
from headway.core.files import atomic_file
from headway.inference import Pipeline, pipeline

TABLE, PAGE = "distillation.json", "distillation.md"
ROUNDS = 5
ITEMS = 256
"""Inputs that a round of timing answers."""
WARM_UP = 16


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What a model costs and what it is good for. What was not measured is None."""

    name: str
    parameters: int
    megabytes: float
    texts_per_second: float | None = None
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A teacher and its student side by side."""

    teacher: Worth
    student: Worth
    measure: str | None
    """What the score is."""
    facts: Mapping[str, Any]
    """What was done: recipe, data, settings."""

    @property
    def retained(self) -> float | None:
        """The student's score as a share of the teacher's."""
        return _ratio(self.student.score, self.teacher.score)

    @property
    def faster(self) -> float | None:
        """How many times as fast the student is."""
        return _ratio(self.student.texts_per_second, self.teacher.texts_per_second)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {**asdict(self), "facts": dict(self.facts), "retained": self.retained, "faster": self.faster}

    def lines(self) -> list[str]:
        """The table in Markdown."""
        header = ["", "parameters", "size, MB", "texts/s", self.measure or "score"]
        rows = [self._row("teacher", self.teacher), self._row("student", self.student)]
        rows.append(["student / teacher", *map(_share, self._ratios())])
        return ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]

    def _ratios(self) -> list[float | None]:
        fewer = _ratio(self.student.parameters, self.teacher.parameters)
        return [fewer, _ratio(self.student.megabytes, self.teacher.megabytes), self.faster, self.retained]

    def _row(self, role: str, worth: Worth) -> list[str]:
        speed = "–" if worth.texts_per_second is None else f"{worth.texts_per_second:,.0f}"
        score = "–" if worth.score is None else f"{worth.score:.4f}"
        return [f"{role} ({worth.name})", f"{worth.parameters:,}", f"{worth.megabytes:,.1f}", speed, score]


def write(folder: Path, found: Comparison) -> None:
    """Keep the table beside the student, for programs and for people."""
    with atomic_file(folder / TABLE) as draft:
        draft.write_text(json.dumps(found.to_dict(), indent=2) + "\n", encoding="utf-8")
    with atomic_file(folder / PAGE) as draft:
        draft.write_text("\n".join(["# Teacher and student", "", *found.lines(), ""]), encoding="utf-8")


def megabytes(folder: Path) -> float:
    """The size of the weights on disk, in millions of bytes."""
    return sum(file.stat().st_size for file in weight_files(folder)) / 1e6


def speeds(
    folders: Sequence[Path],
    items: Sequence[Any],
    *,
    task: str,
    precision: str = "fp32",
    rounds: int = ROUNDS,
    threads: int | None = None,
) -> list[float]:
    """How many inputs a second each model answers: the median of rounds in which all take turns."""
    ready = [pipeline(task, folder, precision=precision, threads=threads) for folder in folders]
    for one in ready:
        _seconds(one, items[:WARM_UP])
    times = [[_seconds(one, items) for one in ready] for _ in range(rounds)]
    return [len(items) / statistics.median(each) for each in zip(*times, strict=True)]


def _seconds(ready: Pipeline, items: Sequence[Any]) -> float:
    start = time.perf_counter()
    for _ in ready.stream(list(items)):
        pass
    return time.perf_counter() - start


def _ratio(student: float | None, teacher: float | None) -> float | None:
    return None if student is None or not teacher else student / teacher


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
