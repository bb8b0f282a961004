"""``headway pretrain``: a new encoder from raw text."""

import shlex
from pathlib import Path

from headway.cli.command import Command
from headway.settings.pretraining import PretrainSettings

MOST_SCORES = 4
"""Scores that the last line names; the log has all of them."""


def run(settings: PretrainSettings) -> None:
    """Pre-train, and say what was written where."""
    from headway.core.extras import require_torch
    from headway.core.launch import is_first_process

    require_torch("Pre-training")
    from headway.training.pretraining import pretrain

    result = pretrain(settings)
    if not is_first_process():
        return
    if settings.tokenize_only:
        tokens = shlex.quote(str(Path(settings.output_dir) / "tokens"))
        print(
            f"Wrote {result.metrics['tokens']:,.0f} tokens of {result.metrics['documents']:,.0f} documents to {tokens}. Next: "
            f"headway pretrain {tokens} --tokenizer {shlex.quote(str(settings.tokenizer or settings.model))} --output-dir ANOTHER"
        )
        return
    if not result.metrics["train_steps"]:
        print(
            f"Nothing was left to learn: this pre-training ended before, after {result.global_step:,} steps. Its encoder is in "
            f"{settings.output_dir}; for another, give another --output-dir"
        )
        return
    scores = {name.removeprefix("eval_"): value for name, value in result.metrics.items() if name.startswith("eval_")}
    held_out = "".join(f", {name} {value:.3f}" for name, value in list(scores.items())[:MOST_SCORES])
    print(
        f"Wrote an encoder after {result.global_step:,} steps of {settings.objective} (loss {result.training_loss:.3f}"
        f"{'; on held-out text' if held_out else ''}{held_out.lstrip(',')}) to {settings.output_dir} (README.md is its card, "
        f"curves.png its curves). Next: {next_command(settings)}"
    )


def next_command(settings: PretrainSettings) -> str:
    """What to type next: teach the encoder a task."""
    return f"headway train --model {shlex.quote(settings.output_dir)} --train FILE --output-dir ANOTHER"


COMMAND = Command(summary="learn a new encoder from text files", settings=PretrainSettings, run=run)
