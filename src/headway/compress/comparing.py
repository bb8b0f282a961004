"""``compare``: models fine-tuned on the same tasks by their own recipes, and timed in turns: the cheat sheet's table."""

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from headway.architecture import weight_shapes
from headway.checkpoints import load_config
from headway.compress import table
from headway.compress.cells import cells, fill, model_folder, plain, result_of
from headway.core.files import atomic_file
from headway.evaluation.glue import find_rows
from headway.evaluation.rows import data_of
from headway.families import family
from headway.settings.comparison import CompareSettings, published
from headway.tasks import task as find_task

RESULT, PAGE, SPEED = "comparison.json", "comparison.md", "speed.json"
STUDENT: Mapping[float, tuple[float, ...]] = {
    0.9: (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.645),
    0.95: (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 1.960),
    0.99: (63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 2.576),
}
"""Quantiles of Student's t for 1 to 9 degrees of freedom, and for many."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One model in the table. Scores are shares of 1; a speed is relative to the reference's in the same precision."""

    model: str
    family: str
    parameters: int
    tasks: Mapping[str, float]
    """The mean over seeds of each task's score."""
    score: float
    """The mean over tasks and seeds."""
    margin: float | None
    """The score lies this far to either side of the mean that endless seeds would give; None with one seed."""
    speed: Mapping[str, float]
    """By precision."""
    texts_per_second: Mapping[str, float]
    source: str
    """Who published how it is fine-tuned."""


def compare(
    settings: CompareSettings, *, progress: bool = True, tell: Callable[[str], None] = lambda line: None
) -> list[Compared]:
    """The models side by side; killed and called again, it goes on from the results that are there."""
    asked = cells(settings)
    for number, cell in enumerate(asked, 1):
        said = f"{number} of {len(asked)}: {cell.model} on {cell.task}, seed {cell.seed}"
        found = result_of(settings, cell)
        if found is None or not model_folder(settings, cell.model).is_dir():
            tell(f"{said} …")
            found = fill(settings, cell, progress=progress)
        tell(f"{said}: {found['score']:.4f}")
    speeds = timed(settings)
    results = [found for cell in asked if (found := result_of(settings, cell)) is not None]
    rows = [compared(settings, model, results, speeds) for model in settings.models]
    write(settings, rows)
    return rows


def timed(settings: CompareSettings) -> dict[str, dict[str, float]]:
    """Texts a second of each model by precision, all measured in one run; read from its file where that was done."""
    path = Path(settings.output_dir) / SPEED
    if not settings.speed_items:
        return {}
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["models"] == list(settings.models):
            return dict(kept["texts_per_second"])
    items = timing_items(settings)
    folders = [model_folder(settings, model) for model in settings.models]
    measured = {}
    for precision in ("fp32", "int8"):
        found = table.speeds(
            folders,
            items,
            task="text-classification",
            precision=precision,
            rounds=settings.speed_rounds,
            threads=settings.threads,
        )
        measured[precision] = dict(zip(settings.models, found, strict=True))
    with atomic_file(path) as draft:
        values = {"models": list(settings.models), "items": len(items), "task": settings.tasks[0], "texts_per_second": measured}
        draft.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return measured


def timing_items(settings: CompareSettings) -> list[Any]:
    """The first inputs of the first task's validation rows."""
    rows = list(islice(data_of(find_rows(settings.tasks[0], settings.data)).rows(), settings.speed_items))
    form = find_task("text-classification").table
    columns = form.find(rows[0])
    return [form.item({role: row[column] for role, column in columns.items()}) for row in rows]


def compared(
    settings: CompareSettings, model: str, results: Sequence[Mapping[str, Any]], speeds: Mapping[str, Mapping[str, float]]
) -> Compared:
    """One row of the table."""
    own = [result for result in results if result["model"] == model]
    by_seed = [statistics.mean(one["score"] for one in own if one["seed"] == seed) for seed in settings.seeds]
    config = load_config(model_folder(settings, model))
    reference = reference_of(settings)
    architecture = family(config.model_type).architecture(config, "base")
    return Compared(
        model=model,
        family=config.model_type,
        parameters=sum(math.prod(shape) for shape in weight_shapes(architecture).values()),
        tasks={task: statistics.mean(one["score"] for one in own if one["task"] == task) for task in settings.tasks},
        score=statistics.mean(by_seed),
        margin=margin(by_seed, confidence=settings.confidence),
        speed={precision: found[model] / found[reference] for precision, found in speeds.items()},
        texts_per_second={precision: found[model] for precision, found in speeds.items()},
        source=published(config.model_type).source,
    )


def margin(values: Sequence[float], *, confidence: float) -> float | None:
    """Half of the interval in which the mean of endless seeds lies, by Student's t; None where one value says nothing of it."""
    if len(values) < 2:
        return None
    quantiles = STUDENT[confidence]
    quantile = quantiles[min(len(values) - 2, len(quantiles) - 1)]
    return quantile * statistics.stdev(values) / math.sqrt(len(values))


def reference_of(settings: CompareSettings) -> str:
    """The model whose speed is 1."""
    if settings.reference is not None:
        return settings.reference
    kinds = {model: load_config(model_folder(settings, model)).model_type for model in settings.models}
    return next((model for model, kind in kinds.items() if kind == "bert"), settings.models[0])


def lines(settings: CompareSettings, rows: Sequence[Compared]) -> list[str]:
    """The table in Markdown."""
    header = ["model", "parameters", "mean score", *settings.tasks, *(f"speed, {name}" for name in rows[0].speed)]
    body = [[_title(row), _millions(row.parameters), _mean(row), *_percents(row), *_speeds(row)] for row in rows]
    return ["| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *body)]


def write(settings: CompareSettings, rows: Sequence[Compared]) -> None:
    """The table for programs and for people, with what was run."""
    folder = Path(settings.output_dir)
    values = {"settings": settings.to_dict(), "rows": [vars(row) for row in rows]}
    with atomic_file(folder / RESULT) as draft:
        draft.write_text(json.dumps(values, indent=2, default=dict) + "\n", encoding="utf-8")
    with atomic_file(folder / PAGE) as draft:
        draft.write_text(
            "\n".join(["# Comparison", "", *lines(settings, rows), "", *notes(settings, rows), ""]), encoding="utf-8"
        )


def notes(settings: CompareSettings, rows: Sequence[Compared]) -> list[str]:
    """What was run, in words."""
    extent = f"{settings.train_limit:,} training rows a task at most" if settings.train_limit else "all training rows"
    share = f"{100 * settings.confidence:g} %"
    said = [
        f"Scores are percent of GLUE's validation sets ({', '.join(settings.tasks)}), each task's the mean of the measures that "
        f"the benchmark reports; the mean is over {len(settings.seeds)} seeds, ± {share} by Student's t; {extent}. Speed is "
        f"relative to {reference_of(settings)}, measured in one run.",
        *(f"- {row.model}: fine-tuned as {row.source}." for row in rows),
    ]
    return [*said, f"- over these: {' '.join(settings.train_settings)}"] if settings.train_settings else said


def _title(row: Compared) -> str:
    return f"{plain(row.model).rpartition('--')[2]} ({row.family})"


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f}M"


def _mean(row: Compared) -> str:
    return f"{100 * row.score:.1f}" + ("" if row.margin is None else f" ± {100 * row.margin:.1f}")


def _percents(row: Compared) -> list[str]:
    return [f"{100 * score:.1f}" for score in row.tasks.values()]


def _speeds(row: Compared) -> list[str]:
    return [f"{speed:.2f}×" for speed in row.speed.values()]
