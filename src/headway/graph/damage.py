"""What is said of an ONNX file that cannot be read."""

from pathlib import Path

from headway.errors import CheckpointError


def unreadable(model: Path | bytes, error: BaseException) -> CheckpointError:
    """The error for a file, or for its bytes, that ONNX or ONNX Runtime refused with another one."""
    source = "a model in memory" if isinstance(model, bytes) else str(model)
    return CheckpointError(
        f"{source} could not be loaded as an ONNX model ({first_line(error)}): it is missing, incomplete, damaged, or made "
        "for a newer ONNX Runtime. Export or download it again."
    )


def first_line(error: BaseException) -> str:
    """What an error says in its first line, or its type."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
