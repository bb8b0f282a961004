"""``headway train``: fine-tune a model on labelled rows."""

from headway.cli.command import Command
from headway.settings.training import TrainSettings

MOST_SCORES = 5
"""Scores that the last line names; the log has all of them."""


def run(settings: TrainSettings) -> None:
    """Fine-tune, and say what was written where and how good it is."""
    from headway.core.extras import require_torch

    require_torch("Training")
    from headway.training.finetuning import fine_tune

    result, scores = fine_tune(settings)
    said = "".join(f", {name.removeprefix('eval_')} {value:.4f}" for name, value in list(scores.items())[:MOST_SCORES])
    print(f"Wrote a {settings.task} model after {result.global_step:,} steps{said} to {settings.output_dir}")


COMMAND = Command(summary="fine-tune a model on labelled rows", settings=TrainSettings, run=run)
