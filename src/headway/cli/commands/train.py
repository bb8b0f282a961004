"""``headway train``: fine-tune a model on labelled rows."""

import shlex

from headway.cli.command import Command
from headway.settings.training import TrainSettings

RANKING = ("text-ranking", "reranking")
"""Tasks whose inputs are more than a text."""
MOST_SCORES = 5
"""Scores that the last line names; the log has all of them."""


def run(settings: TrainSettings) -> None:
    """Fine-tune, and say what was written where and how good it is."""
    from headway.core.extras import require_torch
    from headway.core.launch import is_first_process

    require_torch("Training")
    from headway.training.finetuning import fine_tune

    result, scores = fine_tune(settings)
    if not is_first_process():
        return
    said = "".join(f", {name.removeprefix('eval_')} {value:.4f}" for name, value in list(scores.items())[:MOST_SCORES])
    print(
        f"Wrote a {settings.task} model after {result.global_step:,} steps{said} to {settings.output_dir} (README.md is its "
        f"card, curves.png its curves). Next: {next_command(settings)}"
    )


def next_command(settings: TrainSettings) -> str:
    """What to type next: look at the worst mistakes where there is validation data, else answer something."""
    folder = shlex.quote(settings.output_dir)
    if settings.valid is None:
        return f"headway predict --model {folder} TEXT" if settings.task not in RANKING else f"headway serve {folder}"
    columns = f" --column {shlex.join(settings.column)}" if settings.column else ""
    return f"headway evaluate {folder} {shlex.quote(settings.valid)}{columns} --worst 10"


COMMAND = Command(summary="fine-tune a model on labelled rows", settings=TrainSettings, run=run)
