"""A model's name to an engine that runs it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headway.architecture import ModelConfig
from headway.architecture.family import HeadName
from headway.checkpoints import load_checkpoint, load_config, locate
from headway.core.extras import require_torch
from headway.errors import EngineError, TaskError
from headway.families import family
from headway.inference.cache import cached, fingerprint
from headway.inference.choice import Choice, choose
from headway.inference.engine import Engine, OnnxEngine

PREBUILT = {"int8": "model_int8.onnx", "fp32": "model.onnx"}


def load_engine(
    name_or_path: str | Path,
    *,
    head: HeadName,
    engine: str = "auto",
    precision: str = "auto",
    device: object = None,
    threads: int | None = None,
    **place: Any,
) -> tuple[Engine, Path]:
    """The engine for a model with this head, and the model's folder.

    ``place`` says where to look: ``revision``, ``token``, ``local_files_only``, ``cache_dir``. A ready ONNX file in the folder
    is used if it has the head; otherwise the graph is built from the safetensors file and kept in the cache. Missing head
    weights are a ``WeightError``.
    """
    folder = locate(name_or_path, **place)
    config = load_config(folder)
    ready = family(config.model_type).head_in(config) == head
    choice = choose(engine=engine, precision=precision, device=device, has_int8=ready and (folder / PREBUILT["int8"]).is_file())
    if choice.engine == "torch":
        return _torch_engine(folder, head, choice), folder
    model: Path | bytes | None = _ready_model(folder, choice.precision) if ready else None
    if model is None:
        model = build_cached(folder, config, head=head, precision=choice.precision)
    return OnnxEngine(model, config, precision=choice.precision, threads=threads), folder


def build_cached(folder: Path, config: ModelConfig, *, head: HeadName, precision: str) -> Path | bytes:
    """The graph built from the folder's weights, from the cache where it was built before."""
    weights = weight_files(folder)
    if not weights:
        _refuse_ready_only(folder, config, head, precision)
    key = fingerprint([folder / "config.json", *weights], head, precision, graph_version())
    return cached(key, lambda: _build(folder, head, precision))


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the folder's weights."""
    return sorted(folder.glob("model*.safetensors")) + sorted(folder.glob("model.safetensors.index.json"))


def graph_version() -> str:
    """What of Headway decides how a graph looks."""
    from headway.graph import GRAPH_VERSION

    return f"headway graph {GRAPH_VERSION}"


def _build(folder: Path, head: HeadName, precision: str) -> bytes:
    from headway.graph import build_graph

    checkpoint = load_checkpoint(folder, head=head)
    checkpoint.require_complete()
    built: bytes = build_graph(checkpoint.architecture, checkpoint.weights, precision=precision).SerializeToString()
    return built


def _ready_model(folder: Path, precision: str) -> Path | None:
    path = folder / PREBUILT[precision]
    return path if path.is_file() else None


def _refuse_ready_only(folder: Path, config: ModelConfig, head: HeadName, precision: str) -> None:
    """The error for a folder that holds finished ONNX files but neither this one nor weights to build it from."""
    found = [name for name in PREBUILT.values() if (folder / name).is_file()]
    if not found:
        return  # load_checkpoint says best what is missing
    saved = family(config.model_type).head_in(config)
    if saved != head:
        raise TaskError(
            f"{folder} holds a finished {saved or 'model'} ({', '.join(found)}) and no weights, so it cannot become a "
            f"{head} model. "
            "Choose a task that fits, or a model with safetensors weights."
        )
    raise EngineError(
        f"precision {precision!r} needs {PREBUILT[precision]} or safetensors weights, but {folder} holds only "
        f"{', '.join(found)}. "
        "Use precision='auto', or a folder with the weights."
    )


def _torch_engine(folder: Path, head: HeadName, choice: Choice) -> Engine:
    require_torch(f"engine='torch' ({choice.precision})")
    from headway.neural.engine import TorchEngine

    settings: Mapping[str, Any] = {"head": head, "precision": choice.precision, "device": choice.device}
    found: Engine = TorchEngine.from_pretrained(folder, **settings)
    return found
