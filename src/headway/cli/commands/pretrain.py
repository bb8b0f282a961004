"""``headway pretrain``: a new encoder from raw text."""

from headway.cli.command import Command
from headway.settings.pretraining import PretrainSettings


def run(settings: PretrainSettings) -> None:
    """Pre-train, and say what was written where."""
    from headway.core.extras import require_torch
    from headway.core.launch import is_first_process

    require_torch("Pre-training")
    from headway.training.pretraining import pretrain

    result = pretrain(settings)
    if not is_first_process():
        return
    if not result.metrics["train_steps"]:
        print(
            f"Nothing was left to learn: this pre-training ended before, after {result.global_step:,} steps. Its encoder is in "
            f"{settings.output_dir}; for another, give another --output-dir"
        )
        return
    learnt = f"after {result.global_step:,} steps of {settings.objective} (loss {result.training_loss:.3f})"
    print(f"Wrote an encoder {learnt} to {settings.output_dir}")


COMMAND = Command(summary="learn a new encoder from text files", settings=PretrainSettings, run=run)
