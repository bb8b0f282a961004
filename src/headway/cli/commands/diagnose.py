"""``headway diagnose``: what keeps a run from being better, and what to do next."""

import json
import sys
from pathlib import Path

from headway.cli.command import Command
from headway.settings.diagnosis import DiagnoseSettings


def run(settings: DiagnoseSettings) -> None:
    """Look into the run, print what was found, and write it down."""
    from headway.core.extras import require_torch
    from headway.core.files import atomic_file

    require_torch("Diagnosing a run")
    from headway.diagnosis import diagnose
    from headway.diagnosis.findings import as_markdown, as_text

    found = diagnose(
        settings.run,
        settings.data,
        valid=settings.valid,
        minutes=settings.minutes,
        steps=settings.steps,
        folds=settings.folds,
        limit=settings.limit,
        seed=settings.seed,
        progress=sys.stderr.isatty(),
    )
    print(json.dumps(found.to_dict(), indent=2, default=str) if settings.json else as_text(found, rows=settings.rows))
    report = settings.out or Path(settings.run) / "diagnosis" / "report.md"
    for path, text in (
        (report, as_markdown(found)),
        (report.with_suffix(".json"), json.dumps(found.to_dict(), default=str) + "\n"),
    ):
        with atomic_file(path) as draft:
            draft.write_text(text, encoding="utf-8")
    print(f"\nWritten to {report}, with all rows in {report.with_suffix('.json').name} beside it", file=sys.stderr)


COMMAND = Command(summary="say what keeps a run from being better", settings=DiagnoseSettings, run=run)
