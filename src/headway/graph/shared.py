"""The constants that a graph leaves to a file beside its folder, because several models have them in common.

They are read where the file is mapped, so all sessions and all processes that use them share the memory.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from headway.architecture import ModelConfig
from headway.checkpoints.files import GRAPHS
from headway.checkpoints.siblings import NOTE, Sibling, from_sibling, read_note
from headway.checkpoints.tensors import read_safetensors
from headway.errors import CheckpointError
from headway.graph.origin import SHARED, notes

TABLE = ("embeddings.token.weight", "embeddings.token.weight.scales")
"""What models share that were trained from one encoder with its token table frozen; the second in INT8 alone."""


def shared_tensors(path: Path) -> Mapping[str, np.ndarray]:
    """What the graph in a file needs of its sibling, by name; nothing where it is whole."""
    note = _note(path)
    if note is None:
        return {}
    tensors = from_sibling(path.parent, read_note(note, place=path), read=read_safetensors)
    names = note.get("tensors")
    if not isinstance(names, list) or not all(name in TABLE and name in tensors for name in names):
        raise CheckpointError(
            f"{path} shares {names!r}, but what graphs share is {', '.join(TABLE)}, if the file beside it has them. "
            "Export the model again."
        )
    return {name: tensors[name].as_stored() for name in names}


def siblings_of(folder: Path, config: ModelConfig) -> list[Sibling]:
    """The files beside a model's folder that it reads: its tokenizer, and what its graphs share."""
    noted = [(folder, config.get(NOTE)), *((path, _note(path)) for name in GRAPHS if (path := folder / name).is_file())]
    return [read_note(note, place=place) for place, note in noted if note is not None]


def _note(path: Path) -> dict[str, Any] | None:
    """What the graph in a file says of its sibling; nothing where it is whole, and an empty note where it makes no sense."""
    said = notes(path).get(SHARED)
    if said is None:
        return None
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
