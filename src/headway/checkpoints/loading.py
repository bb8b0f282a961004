"""A checkpoint read into named float32 arrays, every one of them checked against the architecture."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from headway.architecture import Architecture, Family, ModelConfig, weight_shapes
from headway.architecture.family import HeadName
from headway.architecture.weights import Shape
from headway.checkpoints.files import read_config, stored_tensors
from headway.checkpoints.location import locate
from headway.errors import WeightError
from headway.families import family as find_family


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """What a model's folder holds.

    ``weights`` has our names; arrays may be read-only views of the file. Weights that the architecture has and the folder has not are ``missing``:
    only those of a head or of its pooler may be. Those of them that were there with another shape are ``mismatched`` too. ``unexpected`` are names on disk that
    this model does not use.
    """

    folder: Path
    config: ModelConfig
    family: Family
    head: HeadName
    architecture: Architecture
    weights: Mapping[str, np.ndarray]
    missing: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    def require_complete(self) -> None:
        """Refuse a checkpoint without all weights of its head: answers would come from random numbers."""
        if self.missing:
            raise WeightError(
                f"{self.folder} has no {_listed(hub_names(self, self.missing))}, so a {self.head} model would answer at random. "
                "Fine-tune it for the task first, or choose a checkpoint that was."
            )


def load_config(
    name_or_path: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    cache_dir: str | Path | None = None,
) -> ModelConfig:
    """The configuration of a model, by folder, shipped name or Hub repository; nothing else is downloaded."""
    folder = locate(
        name_or_path, revision=revision, token=token, local_files_only=local_files_only, cache_dir=cache_dir, files="config"
    )
    return read_config(folder)


def load_checkpoint(
    name_or_path: str | Path,
    *,
    head: HeadName | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    ignore_mismatched_sizes: bool = False,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    cache_dir: str | Path | None = None,
) -> Checkpoint:
    """A model's configuration, architecture and weights.

    ``head`` is by default the one that the checkpoint was saved with, else ``"base"``. ``changes`` are settings to replace, such as ``num_labels``.
    With ``ignore_mismatched_sizes`` a head's weight of another shape counts as missing instead of being an error.
    """
    folder = locate(name_or_path, revision=revision, token=token, local_files_only=local_files_only, cache_dir=cache_dir)
    config = read_config(folder).replace(**changes)
    family = find_family(config.model_type)
    head = head or family.head_in(config) or "base"
    return _read(folder, config, family, head, ignore_mismatched_sizes=ignore_mismatched_sizes)


def describe_new_weights(checkpoint: Checkpoint) -> str | None:
    """The one sentence to say where weights have to be made anew; None where the checkpoint has them all."""
    if not checkpoint.missing:
        return None
    reason = "has them in another size" if checkpoint.mismatched else "does not have them"
    return (
        f"{_listed(hub_names(checkpoint, checkpoint.missing))} are newly made, because {checkpoint.folder} {reason}. "
        "Train the model before you trust its answers."
    )


def hub_names(checkpoint: Checkpoint, ours: Iterable[str]) -> list[str]:
    """The Hub's names of some of our weights."""
    has_head = checkpoint.architecture.head is not None
    return [their for name in ours for their in checkpoint.family.names.names_of(name, has_head=has_head)]


def _read(folder: Path, config: ModelConfig, family: Family, head: HeadName, *, ignore_mismatched_sizes: bool) -> Checkpoint:
    architecture = family.architecture(config, head)
    tensors = stored_tensors(folder)
    found, unknown = family.names.to_ours(tensors)
    shapes = weight_shapes(architecture)
    if head == "base" and not any(name.startswith("pooler.") for name in found):
        architecture = replace(architecture, pooler=None)
        shapes = weight_shapes(architecture)
    weights, missing, mismatched = {}, [], []
    for name, shape in shapes.items():
        if name not in found:
            missing.append(name)
            continue
        array = found[name]()
        if array.shape == shape:
            weights[name] = array
        elif ignore_mismatched_sizes and _replaceable(name):
            mismatched.append(name)
        else:
            raise _misshapen(folder, name, array.shape, shape)
    if lost := [name for name in missing if not _replaceable(name)]:
        raise WeightError(f"{folder} has no {_listed(lost)}. Download or save the model again.")
    return Checkpoint(
        folder=folder,
        config=config,
        family=family,
        head=head,
        architecture=architecture,
        weights=weights,
        missing=(*missing, *mismatched),
        mismatched=tuple(mismatched),
        unexpected=tuple(unknown),
    )


def _replaceable(name: str) -> bool:
    return name.startswith(("head.", "pooler."))


def _misshapen(folder: Path, name: str, found: Shape, expected: Shape) -> WeightError:
    return WeightError(f"{name} in {folder} has the shape {found}, but the configuration asks for {expected}.")


def _listed(names: Iterable[str], limit: int = 6) -> str:
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


