"""``headway compare``: models side by side: parameters, scores on GLUE, speed."""

import sys

from headway.cli.command import Command
from headway.settings.comparison import CompareSettings


def run(settings: CompareSettings) -> None:
    """Fine-tune, measure and time what is not yet, and show the table."""
    from headway.core.extras import require_torch

    require_torch("Comparing models")
    from headway.compress.comparing import compare, lines

    rows = compare(settings, progress=sys.stderr.isatty(), tell=lambda line: print(line, file=sys.stderr, flush=True))
    print("\n".join(lines(settings, rows)))
    print(f"Wrote comparison.md and comparison.json to {settings.output_dir}")


COMMAND = Command(summary="measure models side by side: parameters, scores, speed", settings=CompareSettings, run=run)
