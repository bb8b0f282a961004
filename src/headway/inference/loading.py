"""A model's name to an engine that runs it."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from headway.architecture import ModelConfig
from headway.architecture.family import HeadName
from headway.checkpoints import load_checkpoint, load_config, locate, weight_files, weights_hash
from headway.core.extras import require_torch
from headway.core.updates import undisturbed
from headway.errors import EngineError, TaskError
from headway.families import family
from headway.inference.cache import cached, fingerprint
from headway.inference.choice import Choice, choose
from headway.inference.engine import Engine, OnnxEngine

if TYPE_CHECKING:
    from headway.core.batching import TokenSequence

READY = {"int8": ("model_int8.onnx", "onnx/model_quantized.onnx"), "fp32": ("model.onnx", "onnx/model.onnx")}
"""The files that ``headway export`` writes, by precision; those for other runtimes serve where there are no others."""


def load_engine(
    name_or_path: str | Path,
    *,
    head: HeadName,
    engine: str = "auto",
    precision: str = "auto",
    device: object = None,
    threads: int | None = None,
    only_token: int | None = None,
    **place: Any,
) -> tuple[Engine, Path]:
    """The engine for a model with this head, and the model's folder.

    ``place`` says where to look: ``revision``, ``token``, ``local_files_only``, ``cache_dir``. An exported ONNX file in the
    folder is used if it has the head; otherwise the graph is built from the folder's weights and kept in the cache. Missing head
    weights are a ``WeightError``, never made up. With ``only_token`` a masked LM scores the vocabulary for tokens with this id
    alone, from the same numbers.
    """
    from headway.graph.shared import shared_tensors

    folder = locate(name_or_path, **place)
    with undisturbed(folder):  # its configuration, its weights and its graphs are those of one save
        config = load_config(folder)
        ready = {} if engine == "torch" else _usable_files(folder, config, head)
        choice = choose(engine=engine, precision=precision, device=device, has_int8="int8" in ready)
        if choice.engine == "torch":
            _refuse_graphs_alone(folder)
            return _torch_engine(folder, head, choice, only_token), folder
        how: dict[str, Any] = {"precision": choice.precision, "threads": threads, "only_token": only_token}
        if (found := ready.get(choice.precision)) is None:
            built = build_cached(folder, config, head=head, precision=choice.precision, only_token=only_token)
            return OnnxEngine(built, config, **how), folder
        model = found if only_token is None else narrowed(found, only_token)
        return OnnxEngine(model, config, shared=shared_tensors(found), **how), folder


def ready_files(folder: Path) -> dict[str, Path]:
    """The graphs in a folder that Headway exported, by precision. Others' graphs may have other inputs and are left alone."""
    from headway.graph.origin import is_ours

    found = {precision: [folder / name for name in names if is_ours(folder / name)] for precision, names in READY.items()}
    return {precision: paths[0] for precision, paths in found.items() if paths}


def _usable_files(folder: Path, config: ModelConfig, head: HeadName) -> dict[str, Path]:
    """The graphs that have this head, by precision; beside weights only those that were exported from them, others are named."""
    from headway.graph.origin import is_current

    ready = ready_files(folder) if family(config.model_type).head_in(config) == head else {}
    if not ready or (weights := weights_hash(folder)) is None:
        return ready
    current = {precision: path for precision, path in ready.items() if is_current(path, config, head=head, weights=weights)}
    if stale := {precision: path for precision, path in ready.items() if precision not in current}:
        _warn_of_stale(folder, stale)
    return current


def _warn_of_stale(folder: Path, stale: Mapping[str, Path]) -> None:
    names = ", ".join(path.relative_to(folder).as_posix() for path in stale.values())
    precision, path = next(iter(stale.items()))
    command = f"headway export {folder} --output {folder} --precision {precision}" + " --portable" * (path.parent != folder)
    warnings.warn(
        f"{names} in {folder} is not used: it was exported from other weights or settings than those that now stand beside it. "
        f"The model runs from its weights. Export it again ({command}), or remove the file.",
        stacklevel=4,
    )


def narrowed(model: Path, only_token: int) -> Path | bytes:
    """A ready graph of a masked LM made to score tokens with this id alone, from the cache where that was done before."""
    from headway.graph import GRAPH_VERSION
    from headway.graph.masks import graph_for_masks_only

    key = fingerprint([model], f"only {only_token}", f"graph {GRAPH_VERSION}")
    return cached(key, lambda: graph_for_masks_only(model, only_token))


def build_cached(
    folder: Path, config: ModelConfig, *, head: HeadName, precision: str, only_token: int | None = None
) -> Path | bytes:
    """The graph built from the folder's weights, from the cache where it was built before."""
    from headway.graph import GRAPH_VERSION

    weights = weight_files(folder)
    if not weights:
        _refuse_other_exports(folder, config, head, precision)
    sources = [folder / "config.json", *weights, *(_tokenizer_files(folder) if precision == "int8" else [])]
    extent = [] if only_token is None else [f"only {only_token}"]
    key = fingerprint(sources, head, precision, f"graph {GRAPH_VERSION}", *extent)
    return cached(key, lambda: _build(folder, head, precision, only_token))


def _build(folder: Path, head: HeadName, precision: str, only_token: int | None) -> bytes:
    from headway.graph import build_graph
    from headway.graph.masks import graph_for_masks_only

    checkpoint = load_checkpoint(folder, head=head)
    checkpoint.require_complete()
    calibration = _calibration(folder) if precision == "int8" else []
    graph = build_graph(checkpoint.architecture, checkpoint.weights, precision=precision, calibration=calibration)
    return bytes(graph.SerializeToString()) if only_token is None else graph_for_masks_only(graph, only_token)


def _calibration(folder: Path) -> "list[TokenSequence]":
    from headway.graph import calibration_sequences
    from headway.text import Tokenizer

    return calibration_sequences(Tokenizer.from_pretrained(folder))


def _tokenizer_files(folder: Path) -> list[Path]:
    """What decides, through the tokens of the calibration texts, how an INT8 graph looks."""
    from headway.text.loading import VOCABULARY_FILES

    names = ("tokenizer.json", "tokenizer_config.json", *VOCABULARY_FILES)
    return [path for name in names if (path := folder / name).is_file()]


def _refuse_other_exports(folder: Path, config: ModelConfig, head: HeadName, precision: str) -> None:
    """Refuse a folder that has no weights but exports that do not serve; an empty folder is for ``load_checkpoint`` to refuse."""
    ready = ready_files(folder)
    saved = family(config.model_type).head_in(config)
    if ready and saved != head:
        raise TaskError(
            f"{folder} was exported as a {saved or 'model of unknown use'} and holds no weights to build another from, so it "
            f"cannot become a {head} model. Choose a task that fits it, or a folder with model.safetensors."
        )
    if ready:
        raise EngineError(
            f"precision={precision!r} needs {READY[precision][0]} or model.safetensors, but {folder} holds only "
            f"{', '.join(path.name for path in ready.values())}. Use precision='auto', or export the model again."
        )


def _refuse_graphs_alone(folder: Path) -> None:
    """Refuse, for torch, a folder that holds a graph and no weights, as those of the models that ship do."""
    if (ready := ready_files(folder)) and not weight_files(folder):
        names = ", ".join(path.name for path in ready.values())
        raise EngineError(
            f"{folder} holds {names} and no weights. ONNX Runtime runs that on the CPU, but GPUs, bf16 and engine='torch' need "
            "weights. Leave device, precision and engine out, or name a model that has them."
        )


def _torch_engine(folder: Path, head: HeadName, choice: Choice, only_token: int | None) -> Engine:
    require_torch(f"engine='torch' ({choice.precision})")
    from headway.neural.engine import TorchEngine

    precision: Literal["bf16", "fp32"] = "bf16" if choice.precision == "bf16" else "fp32"
    return TorchEngine.from_pretrained(folder, head=head, precision=precision, device=choice.device, only_token=only_token)
