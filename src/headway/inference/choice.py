"""Which engine runs a model, in which precision, from which file: decided from what was asked for and what is there."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from headway.errors import EngineError

EngineName: TypeAlias = Literal["auto", "onnx", "torch"]
PrecisionName: TypeAlias = Literal["auto", "fp32", "bf16", "int8"]
ENGINES: tuple[str, ...] = ("auto", "onnx", "torch")
PRECISIONS: tuple[str, ...] = ("auto", "fp32", "bf16", "int8")


@dataclass(frozen=True)
class Choice:
    """An engine and a precision; ``device`` is torch's name for where to run, None for torch to choose."""

    engine: Literal["onnx", "torch"]
    precision: Literal["fp32", "bf16", "int8"]
    device: str | None = None


def choose(*, engine: str, precision: str, device: object, has_int8: bool) -> Choice:
    """ONNX on the CPU unless something else is asked for; INT8 where the folder holds an INT8 model, else fp32.

    bf16 and GPUs are torch's. What excludes each other is an ``EngineError``, never silently another choice.
    """
    _known("engine", engine, ENGINES)
    _known("precision", precision, PRECISIONS)
    place = device_name(device)
    on_gpu = place not in (None, "cpu")
    if engine == "torch" or (engine == "auto" and (precision == "bf16" or on_gpu)):
        return _torch(precision, place)
    if on_gpu:
        raise EngineError(
            f"engine='onnx' runs on the CPU here, but device is {device!r}. Use engine='torch', or leave the device out."
        )
    if precision == "bf16":
        raise EngineError("engine='onnx' has no bf16. Use engine='torch' for bf16, or precision='fp32' or 'int8'.")
    int8 = precision == "int8" or (precision == "auto" and has_int8)
    return Choice("onnx", "int8" if int8 else "fp32")


def device_name(device: object) -> str | None:
    """Torch's name of a device: numbers count GPUs and -1 is the CPU, as in transformers."""
    if device is None:
        return None
    if isinstance(device, int) and not isinstance(device, bool):
        return "cpu" if device < 0 else f"cuda:{device}"
    return str(device)


def _torch(precision: str, device: str | None) -> Choice:
    if precision == "int8":
        raise EngineError(
            "engine='torch' and GPUs have no int8 here. Use precision='fp32' or 'bf16', or engine='onnx' on the CPU."
        )
    return Choice("torch", "bf16" if precision == "bf16" else "fp32", device)


def _known(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise EngineError(f"{name} is {value!r}, which is none that Headway has; known are {', '.join(known)}.")
