"""A model written so that transformers and Headway load it, and so that no reader and no kill ever leaves half of it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from headway.architecture import Architecture, ModelConfig, weight_shapes
from headway.architecture.family import HeadName
from headway.checkpoints.files import CONFIG, INDEX, WEIGHT_FORMS, WEIGHTS
from headway.checkpoints.stored import listed
from headway.checkpoints.tensors import ITEM_BYTES, write_safetensors
from headway.core.files import atomic_folder
from headway.core.updates import atomic_update
from headway.errors import CheckpointError, ConfigError, WeightError
from headway.families import family as find_family

Numbers: TypeAlias = Literal["float32", "float16", "bfloat16"]
KINDS: Mapping[str, str] = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def save_checkpoint(
    folder: str | Path,
    *,
    config: ModelConfig,
    head: HeadName,
    weights: Mapping[str, np.ndarray],
    dtype: Numbers = "float32",
    max_shard_bytes: int = 5_000_000_000,
) -> None:
    """Write a model's configuration and weights, as numbers of ``dtype`` under the Hub's names.

    Whenever the writer is killed, the folder holds the old model or the new one. Weights in other forms (pickles, ONNX graphs)
    belong to the old one and go with it; all other files in the folder stay. More than ``max_shard_bytes`` of weights are divided
    among several files.
    """
    if dtype not in KINDS:
        raise ConfigError(f"Weights cannot be saved as {dtype!r}. Choose {', '.join(KINDS)}.")
    family = find_family(config.model_type)
    architecture = family.architecture(config, head)
    _check(weights, architecture, head)
    arrays = family.weight_names(config, head).to_theirs(weights, has_head=architecture.head is not None)
    settings = config.to_dict() | {"architectures": [family.class_names[head]]}
    named = [name for name in ("dtype", "torch_dtype") if name in settings]
    settings |= dict.fromkeys(named or ([] if dtype == "float32" else ["dtype"]), dtype)
    folder = Path(folder)
    if os.path.lexists(folder) and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file, so no model can be saved there. Give a folder, which need not exist yet.")
    with atomic_update(folder, replaces=WEIGHT_FORMS) if folder.is_dir() else atomic_folder(folder) as draft:
        _write_weights(draft, arrays, KINDS[dtype], max_shard_bytes)
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


def _write_weights(folder: Path, arrays: Mapping[str, np.ndarray], kind: str, max_shard_bytes: int) -> None:
    sizes = {name: arrays[name].size * ITEM_BYTES[kind] for name in sorted(arrays)}
    groups = divide(sizes, max_bytes=max_shard_bytes)
    names = (
        [WEIGHTS] if len(groups) == 1 else [f"model-{n:05}-of-{len(groups):05}.safetensors" for n in range(1, len(groups) + 1)]
    )
    for file, group in zip(names, groups, strict=True):
        write_safetensors(folder / file, {name: arrays[name] for name in group}, kind=kind)
    if len(groups) > 1:
        places = {name: file for file, group in zip(names, groups, strict=True) for name in group}
        _write_json(folder / INDEX, {"metadata": {"total_size": sum(sizes.values())}, "weight_map": places})


def _write_json(path: Path, values: Mapping[str, object]) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
