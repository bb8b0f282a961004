"""``headway export``: a model's weights to one ONNX file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from headway.cli.command import Command
from headway.errors import ConfigError
from headway.settings.exporting import ExportSettings

if TYPE_CHECKING:
    from headway.graph import Exported


def run(settings: ExportSettings) -> None:
    """Export the model, and say what was written where and how near it is to the weights."""
    if settings.shared_part:
        share(settings)
        return
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
        share=settings.share,
        progress=True,
        revision=settings.revision,
    )
    for path in done.removed:
        print(f"Removed {path}, which was exported from other weights or settings")
    print(f"Wrote a {done.head} model in {done.precision} ({', '.join(facts(done))}) to {done.path}")


def facts(done: "Exported") -> Iterator[str]:
    """How large the file is, what stands elsewhere, and how near it is to the weights."""
    yield f"{done.size / 1e6:,.1f} MB"
    if done.shared is not None:
        yield f"{done.shared.stat().st_size / 1e6:,.1f} MB more in {done.shared}"
    if done.difference is None:
        yield "its numbers unchanged"
    elif done.precision == "int8":
        yield f"{done.difference:.1%} from fp32"
    else:
        yield f"within {done.difference:.0e} of its weights"


def share(settings: ExportSettings) -> None:
    """Write what models have in common, and say how they are exported without it."""
    asked = {"share": settings.share, "portable": settings.portable, "head": settings.head, "calibration": settings.calibration}
    if others := [f"--{name}" for name, value in asked.items() if value]:
        raise ConfigError(f"--shared-part writes no model, so {', '.join(others)} would change nothing. Leave one of them out.")
    from headway.graph.sharing import export_shared

    done = export_shared(
        settings.model,
        settings.output,
        precision=settings.precision,
        reduce_range=settings.reduce_range,
        revision=settings.revision,
    )
    print(
        f"Wrote what models share in {settings.precision} ({done.size / 1e6:,.1f} MB: {', '.join(done.tensors)}) to {done.path}; "
        f"export them beside it with --share {settings.output}"
    )


COMMAND = Command(summary="write a model as ONNX, in INT8 or fp32", settings=ExportSettings, run=run)
