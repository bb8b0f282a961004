"""A model written so that transformers and Headway load it, and so that a reader never sees half of it."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from headway.architecture import ModelConfig
from headway.architecture.family import HeadName
from headway.checkpoints.files import CONFIG, WEIGHTS
from headway.core.files import atomic_file
from headway.families import family as find_family


def save_checkpoint(
    folder: str | Path,
    *,
    config: ModelConfig,
    head: HeadName,
    weights: Mapping[str, np.ndarray],
    max_shard_bytes: int = 5_000_000_000,
) -> None:
    """Write a model's configuration and weights under the Hub's names; other files in the folder stay."""
    from safetensors.numpy import save_file

    family = find_family(config.model_type)
    architecture = family.architecture(config, head)
    arrays = family.names.to_theirs(weights, has_head=architecture.head is not None)
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
    folder = Path(folder)
    with atomic_file(folder / WEIGHTS) as draft:
        save_file(arrays, draft, metadata={"format": "pt"})
    with atomic_file(folder / CONFIG) as draft:
        settings = config.replace(architectures=[family.class_names[head]]).to_dict()
        draft.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
