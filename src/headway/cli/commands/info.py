"""``headway info``: what is installed here, or what a model is."""

import json
import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.cli.command import Command
from headway.settings.inspection import InfoSettings

if TYPE_CHECKING:
    from headway.architecture import ModelConfig

PACKAGES = ("numpy", "onnxruntime", "onnx", "tokenizers", "safetensors", "huggingface_hub", "torch")
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")  # what decides how fast products are
WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "*.onnx", "onnx/*.onnx")


def run(settings: InfoSettings) -> None:
    """Print what there is to know, as a table or as JSON."""
    facts = installation() if settings.model is None else model(settings.model, revision=settings.revision)
    print(json.dumps(facts, indent=2) if settings.json else table(facts))


def installation() -> dict[str, Any]:
    """Versions, this machine, where downloads go, and the models that ship."""
    from huggingface_hub import constants

    from headway import __version__
    from headway.checkpoints import shipped_models, shipped_parts

    return {
        "headway": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(terse=True),
        "processor": f"{platform.machine()}, {_usable_cores()} cores usable, "
        f"{' '.join(_instructions()) or 'instruction sets unknown'}",
        **{name: _version(name) for name in PACKAGES},
        "hub cache": constants.HF_HUB_CACHE + (" (offline)" if constants.HF_HUB_OFFLINE else ""),
        "shipped models": {name: _summary(folder) for name, folder in shipped_models().items()} or "none",
        **({"shared by them": shared} if (shared := {name: _size(folder) for name, folder in shipped_parts().items()}) else {}),
    }


def model(name: str, *, revision: str | None = None) -> dict[str, Any]:
    """Family, head, labels, sizes, weights, tokenizer and files of a model; a Hub repository's weights are not downloaded."""
    from headway.architecture import weight_shapes
    from headway.checkpoints import load_config, locate
    from headway.families import family

    folder = locate(name, revision=revision, files="tokenizer")
    config = load_config(folder)
    found = family(config.model_type)
    head = found.head_in(config) or "base"
    architecture = found.architecture(config, head)
    encoder = architecture.encoder
    return {
        "folder": str(folder),
        "family": config.model_type,
        "head": head,
        **({"labels": list(config.id2label.values())} if head == "sequence-classification" else {}),
        "layers": len(encoder.layers),
        "hidden size": encoder.hidden_size,
        "positions": encoder.max_tokens,
        "vocabulary": encoder.embeddings.vocab_size,
        "parameters": sum(math.prod(shape) for shape in weight_shapes(architecture).values()),
        "weights": _weights(folder),
        "tokenizer": _tokenizer(folder, config),
        **({"shared": shared} if (shared := _shared(folder, config)) else {}),
        "files": {path.relative_to(folder).as_posix(): path.stat().st_size for path in _files(folder)},
    }


def table(facts: Mapping[str, Any]) -> str:
    """One fact a line; names in one column, values in the next."""
    width = max(map(len, facts))
    return "\n".join(f"{name:<{width}}  {_shown(value, indent=width + 2)}" for name, value in facts.items())


def _shown(value: Any, *, indent: int) -> str:
    match value:
        case dict():
            inner = {name: _bytes(size) if isinstance(size, int) else size for name, size in value.items()}
            return table(inner).replace("\n", "\n" + " " * indent) if inner else "none"
        case list():
            return f"{len(value)}: {', '.join(map(str, value[:12]))}{' …' if len(value) > 12 else ''}"
        case int():
            return f"{value:,}"
    return str(value)


def _weights(folder: Path) -> str:
    from headway.checkpoints import describe_new_weights, load_checkpoint, weight_files

    names = sorted({path.relative_to(folder).as_posix() for pattern in WEIGHTS for path in folder.glob(pattern)})
    if not weight_files(folder):
        return ", ".join(names) or "none here"
    return f"{', '.join(names)}; {describe_new_weights(load_checkpoint(folder)) or 'all there'}"


def _tokenizer(folder: Path, config: "ModelConfig") -> str:
    from headway.checkpoints.siblings import NOTE
    from headway.errors import CheckpointError, TokenizerError
    from headway.text import Tokenizer

    if NOTE not in config and not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        return "none here"
    try:
        tokenizer = Tokenizer.from_pretrained(folder)
    except (CheckpointError, TokenizerError) as error:
        return f"cannot be loaded: {error}"
    return f"{len(tokenizer):,} pieces, fingerprint {tokenizer.fingerprint}"


def _shared(folder: Path, config: "ModelConfig") -> dict[str, int | str]:
    """The files beside the folder that the model reads, with their sizes; of one that is not there, or not the right one, why."""
    from headway.checkpoints.siblings import from_sibling
    from headway.errors import CheckpointError
    from headway.graph.shared import siblings_of

    found: dict[str, int | str] = {}
    for sibling in siblings_of(folder, config):
        name = f"../{sibling.folder}/{sibling.file}"
        try:
            found[name] = from_sibling(folder, sibling, read=lambda path: path.stat().st_size)
        except CheckpointError as error:
            found[name] = str(error)
    return found


def _summary(folder: Path) -> str:
    from headway.checkpoints import load_config

    config = load_config(folder)
    kinds = ", ".join(config.get("architectures") or ()) or config.model_type
    return f"{kinds}, {_bytes(_size(folder))}"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    """The model's own files: beside each other, or in a side folder of sentence-transformers."""
    found = (*folder.iterdir(), *folder.glob("[0-9]*_*/*"))
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed" + (": pip install 'headway[train]'" if package == "torch" else "")


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _instructions() -> list[str]:
    """The instruction sets that Linux reports; nothing on other systems."""
    path = Path("/proc/cpuinfo")
    words = set(path.read_text(encoding="utf-8").split()) if path.exists() else set()
    return [name for name in INSTRUCTIONS if name in words]


def _bytes(size: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.1f} {unit}" if unit != "bytes" and size < 100 else f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


COMMAND = Command(summary="say what is installed here, or what a model is", settings=InfoSettings, run=run)
