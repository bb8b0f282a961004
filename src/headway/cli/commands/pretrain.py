"""``headway pretrain``: a new encoder from raw text."""

from headway.cli.command import Command
from headway.settings.pretraining import PretrainSettings


def run(settings: PretrainSettings) -> None:
    """Pre-train, and say what was written where."""
    from headway.core.extras import require_torch

    require_torch("Pre-training")
    from headway.training.pretraining import pretrain

    result = pretrain(settings)
    print(f"Wrote a masked LM after {result.global_step:,} steps (loss {result.training_loss:.3f}) to {settings.output_dir}")


COMMAND = Command(summary="learn a new encoder from text files", settings=PretrainSettings, run=run)
