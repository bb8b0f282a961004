"""A model written so that transformers and Headway load it, and so that no reader and no kill ever leaves half of it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from headway.architecture import Architecture, ModelConfig, weight_shapes
from headway.architecture.family import HeadName
from headway.checkpoints.files import CONFIG, INDEX, WEIGHTS
from headway.checkpoints.stored import listed
from headway.core.files import atomic_folder
from headway.core.updates import atomic_update
from headway.errors import CheckpointError, WeightError
from headway.families import family as find_family

SHARDS = "model-*-of-*.safetensors"


def save_checkpoint(
    folder: str | Path,
    *,
    config: ModelConfig,
    head: HeadName,
    weights: Mapping[str, np.ndarray],
    max_shard_bytes: int = 5_000_000_000,
) -> None:
    """Write a model's configuration and weights, as float32 under the Hub's names; other files in the folder stay.

    Whenever the writer is killed, the folder holds the old model or the new one. More than ``max_shard_bytes`` of weights are
    divided among several files.
    """
    family = find_family(config.model_type)
    architecture = family.architecture(config, head)
    _check(weights, architecture, head)
    arrays = family.weight_names(config, head).to_theirs(weights, has_head=architecture.head is not None)
    settings = config.to_dict() | {"architectures": [family.class_names[head]]}
    settings |= {name: "float32" for name in ("dtype", "torch_dtype") if name in settings}
    folder = Path(folder)
    if os.path.lexists(folder) and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file, so no model can be saved there. Give a folder, which need not exist yet.")
    with atomic_update(folder, replaces=(WEIGHTS, INDEX, SHARDS)) if folder.is_dir() else atomic_folder(folder) as draft:
        _write_weights(draft, arrays, max_shard_bytes)
        _write_json(draft / CONFIG, settings)


def divide(sizes: Mapping[str, int], *, max_bytes: int) -> list[list[str]]:
    """Names of the weights of each file, in the order given; a weight larger than a whole file has one to itself."""
    groups: list[list[str]] = [[]]
    room = max_bytes
    for name, size in sizes.items():
        if groups[-1] and size > room:
            groups.append([])
            room = max_bytes
        groups[-1].append(name)
        room -= size
    return groups


def _check(weights: Mapping[str, np.ndarray], architecture: Architecture, head: HeadName) -> None:
    shapes = weight_shapes(architecture)
    optional = {name for name in shapes if head == "base" and name.startswith("pooler.")}
    wrong = [f"{name} is missing" for name in shapes if name not in weights and name not in optional]
    wrong += [f"{name} is not part of it" for name in weights if name not in shapes]
    wrong += [
        f"{name} is {weights[name].shape}, not {shape}"
        for name, shape in shapes.items()
        if name in weights and weights[name].shape != shape
    ]
    if wrong:
        raise WeightError(
            f"These are not the weights of a {head} model of this configuration: {listed(wrong)}. Nothing was saved. "
            "Save the configuration that the model was built with."
        )


def _write_weights(folder: Path, arrays: Mapping[str, np.ndarray], max_shard_bytes: int) -> None:
    from safetensors.numpy import save_file

    ready = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in sorted(arrays.items())}
    groups = divide({name: array.nbytes for name, array in ready.items()}, max_bytes=max_shard_bytes)
    names = (
        [WEIGHTS] if len(groups) == 1 else [f"model-{n:05}-of-{len(groups):05}.safetensors" for n in range(1, len(groups) + 1)]
    )
    for file, group in zip(names, groups, strict=True):
        save_file({name: ready[name] for name in group}, folder / file, metadata={"format": "pt"})
    if len(groups) > 1:
        places = {name: file for file, group in zip(names, groups, strict=True) for name in group}
        total = sum(array.nbytes for array in ready.values())
        _write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": places})


def _write_json(path: Path, values: Mapping[str, object]) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
