"""``headway distill``: a smaller model that learns from a larger one."""

from headway.cli.command import Command
from headway.settings.distillation import DistillSettings


def run(settings: DistillSettings) -> None:
    """Distil, show teacher and student side by side, and say what was written where."""
    from headway.core.extras import require_torch
    from headway.core.launch import is_first_process

    require_torch("Distillation")
    from headway.compress import distill

    found = distill(settings)
    if not is_first_process():
        return
    print("\n".join(found.comparison.lines()))
    retained = found.comparison.retained
    kept = "" if retained is None else f", with {100 * retained:.1f} % of its teacher's score,"
    print(f"Wrote the student{kept} after {found.output.global_step:,} steps to {settings.output_dir}")


COMMAND = Command(summary="teach a smaller model what a larger one knows", settings=DistillSettings, run=run)
