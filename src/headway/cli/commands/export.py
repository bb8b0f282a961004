"""``headway export``: a model's weights to one ONNX file."""

from headway.cli.command import Command
from headway.settings.exporting import ExportSettings


def run(settings: ExportSettings) -> None:
    """Export the model, and say what was written where and how near it is to the weights."""
    from headway.graph.calibration import read_texts
    from headway.graph.exporting import export_model

    done = export_model(
        settings.model,
        settings.output,
        precision=settings.precision,
        head=settings.head,
        calibration=() if settings.calibration is None else read_texts(settings.calibration),
        max_difference=settings.max_difference,
        reduce_range=settings.reduce_range,
        portable=settings.portable,
        progress=True,
        revision=settings.revision,
    )
    for path in done.removed:
        print(f"Removed {path}, which was exported from other weights or settings")
    nearness = f"{done.difference:.1%} from fp32" if done.precision == "int8" else f"within {done.difference:.0e} of its weights"
    print(f"Wrote a {done.head} model in {done.precision} ({done.size / 1e6:,.1f} MB, {nearness}) to {done.path}")


COMMAND = Command(summary="write a model as ONNX, in INT8 or fp32", settings=ExportSettings, run=run)
