"""``headway evaluate``: how good a model's answers to labelled rows are."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.cli.command import Command
from headway.errors import ConfigError
from headway.settings.changes import named_columns
from headway.settings.evaluation import EvaluateSettings

if TYPE_CHECKING:
    from headway.evaluation import Report


def run(settings: EvaluateSettings) -> None:
    """Measure, print what was found, and write it all down if asked to."""
    _check(settings)
    model, data = places(settings)
    from headway.cli._report import shown
    from headway.evaluation import evaluate

    report = evaluate(
        model,
        data,
        task=settings.task,
        glue=settings.glue,
        columns=named_columns(settings.column),
        labels=pairs(settings.labels, "--labels 0=negative"),
        limit=settings.limit,
        worst=settings.worst,
        confidence=settings.confidence,
        resamples=settings.resamples,
        seed=settings.seed,
        progress=sys.stderr.isatty(),
        **_pipeline_options(settings),
    )
    print(shown(report, confidence=settings.confidence))
    if settings.out is not None:
        write(report, settings.out)
        print(f"\nWritten to {settings.out}")


def places(settings: EvaluateSettings) -> tuple[str | None, Path | None]:
    """The model and the data. With a set of GLUE, a folder that is no model is where the set lies."""
    alone = Path(settings.model) if settings.model and settings.glue and settings.data is None else None
    if alone is not None and alone.is_dir() and not (alone / "config.json").is_file():
        return None, alone
    return settings.model, settings.data


def write(report: "Report", path: Path) -> None:
    """Everything as one JSON object; the file has its name only once it is whole."""
    from headway.core.files import atomic_file

    with atomic_file(path) as draft:
        draft.write_text(json.dumps(report.to_dict(), indent=2, ensure_ascii=True) + "\n", encoding="utf-8")


def pairs(words: Iterable[str], example: str) -> dict[str, str]:
    """``name=value`` words by name."""
    split = [word.partition("=") for word in words]
    for name, sign, value in split:
        if not (name and sign and value):
            raise ConfigError(
                f"{name + sign + value!r} does not say what is what: write a name, an equals sign and a value, as in {example}."
            )
    return {name: value for name, _, value in split}


def read_value(word: str) -> Any:
    """A number, true, false or null as JSON has them; anything else is a text."""
    try:
        return json.loads(word)
    except ValueError:
        return word


def _check(settings: EvaluateSettings) -> None:
    """Refuse what cannot be done before anything heavy is imported."""
    if settings.data is None and settings.glue is None:
        raise ConfigError(
            "There is nothing to measure on. Name a model and labelled rows (headway evaluate MODEL reviews.csv), or a set of "
            "GLUE (headway evaluate --glue sst2)."
        )
    if settings.out is not None and settings.out.suffix != ".json":
        raise ConfigError(f"--out {settings.out} is written as JSON. End its name in .json, so that others know.")


def _pipeline_options(settings: EvaluateSettings) -> dict[str, Any]:
    names = ("engine", "precision", "device", "batch_size", "threads", "revision")
    chosen = {name: read_value(value) for name, value in pairs(settings.options, "--options overflow=window").items()}
    limit = {} if settings.max_length is None else {"max_length": settings.max_length}
    return {name: getattr(settings, name) for name in names} | limit | chosen


COMMAND = Command(summary="measure a model's answers on labelled rows", settings=EvaluateSettings, run=run)
