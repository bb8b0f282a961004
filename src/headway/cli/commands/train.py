"""``headway train``: fine-tune a model on labelled rows."""

import shlex
from collections.abc import Mapping

from headway.cli.command import Command
from headway.settings.training import TrainSettings

VECTORS, RANKING = ("sentence-embeddings", "sentence-similarity"), ("text-ranking", "reranking")
"""Tasks that are learnt from rows of other forms than those on which they are evaluated."""
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
        f"card, curves.png its curves). Next: {next_command(settings, scores)}"
    )


def next_command(settings: TrainSettings, scores: Mapping[str, float] | None = None) -> str:
    """What to type next: look at the worst mistakes where there is validation data, else answer something."""
    folder = shlex.quote(settings.output_dir)
    if "eval_spearman" in (scores or {}) and settings.task in VECTORS and settings.valid is not None:
        return f"headway evaluate {folder} {shlex.quote(settings.valid)} --task sentence-similarity --worst 10"
    if settings.task in (*VECTORS, *RANKING):
        return f"headway serve {folder}"
    if settings.valid is None:
        return f"headway predict --model {folder} TEXT"
    return f"headway evaluate {folder} {shlex.quote(settings.valid)} --worst 10"


COMMAND = Command(summary="fine-tune a model on labelled rows", settings=TrainSettings, run=run)
