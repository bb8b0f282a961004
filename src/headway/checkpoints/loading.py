"""A checkpoint read into named float32 arrays, each of them checked against the architecture before any is read."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from headway.architecture import Architecture, Family, ModelConfig, weight_shapes
from headway.architecture.family import HeadName
from headway.architecture.weights import Shape
from headway.checkpoints.files import read_config
from headway.checkpoints.location import locate
from headway.checkpoints.stored import Stored, listed
from headway.core.updates import undisturbed
from headway.errors import WeightError
from headway.families import family as find_family
from headway.families import recognised

CLASSIFIERS = {"sequence-classification", "token-classification", "multiple-choice", "question-answering"}
"""Heads whose last map many families call by one name, so that one's weights fit another."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """What a model's folder holds.

    ``weights`` has our names; its arrays may be read-only views of the file. Weights that the architecture has and the folder has
    not are ``missing``: only those of a head or of its pooler may be. Those of them that are there in another size are
    ``mismatched`` as well, and ``stored_shapes`` has their size there. ``unexpected`` are names on disk that this model does not
    use. A base model without a pooler on disk has none here either. ``dtype`` are the numbers on disk.
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
    stored_shapes: Mapping[str, Shape] = field(default_factory=dict)
    dtype: str = "float32"

    def require_complete(self) -> None:
        """Refuse a checkpoint without all weights of its head, or with another's: answers would come from random numbers."""
        saved = self.family.head_in(self.config)
        if {saved, self.head} <= CLASSIFIERS and saved != self.head:
            raise WeightError(
                f"{self.folder} was saved as a {saved} model; as a {self.head} model it would answer with weights that were "
                "trained for something else. Choose a checkpoint that was trained for this, or fine-tune it first."
            )
        table = self.family.weight_names(self.config, self.head)
        if foreign := [name for name in self.unexpected if table.contradicts(name)]:
            raise WeightError(
                f"{self.folder} has {listed(foreign, limit=3)}, so it was trained for another head, and its answers as a "
                f"{self.head} model would be random. Choose a checkpoint that was trained for this one, or fine-tune it first."
            )
        if self.missing:
            raise WeightError(
                f"{self.folder} has no {listed(self.hub_names(self.missing))}, so its answers as a {self.head} model "
                "would be random. Fine-tune it for the task first, or choose a checkpoint that was."
            )

    def hub_names(self, ours: Iterable[str]) -> list[str]:
        """What some of our weights are called on the Hub."""
        has_head = self.architecture.head is not None
        table = self.family.weight_names(self.config, self.head)
        return [their for name in ours for their in table.names_of(name, has_head=has_head)]


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
    return recognised(read_config(folder))


def load_checkpoint(
    name_or_path: str | Path,
    *,
    head: HeadName | None = None,
    config: ModelConfig | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    ignore_mismatched_sizes: bool = False,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    cache_dir: str | Path | None = None,
) -> Checkpoint:
    """A model's configuration, architecture and weights.

    ``head`` is by default the one that the checkpoint was saved with, else ``"base"``. ``config`` stands in for the one in the
    folder, which then need not have any; ``changes`` are settings to replace, such as ``num_labels``. With
    ``ignore_mismatched_sizes`` a head's weight of another size counts as missing instead of being an error.
    """
    folder = locate(name_or_path, revision=revision, token=token, local_files_only=local_files_only, cache_dir=cache_dir)
    with undisturbed(folder):
        config = (config or recognised(read_config(folder))).replace(**changes)
        family = find_family(config.model_type)
        _name_unknown(config, family)
        head = head or family.head_in(config) or "base"
        architecture = family.architecture(config, head)
        stored = Stored(folder, family.weight_names(config, head))
    if head == "base" and "pooler.dense.weight" not in stored.ours:
        architecture = replace(architecture, pooler=None)  # a random pooler would be worth nothing to anybody
    shapes = weight_shapes(architecture)
    missing = stored.missing(shapes)
    mismatched = stored.mismatched(shapes, allowed=ignore_mismatched_sizes)
    absent = {*missing, *mismatched}
    return Checkpoint(
        folder=folder,
        config=config,
        family=family,
        head=head,
        architecture=architecture,
        weights={name: stored.read(name) for name in shapes if name not in absent},
        missing=tuple(name for name in shapes if name in absent),
        mismatched=tuple(mismatched),
        unexpected=tuple(stored.unexpected(shapes)),
        stored_shapes={name: stored.shape(name) for name in mismatched},
        dtype=stored.dtype,
    )


def describe_new_weights(checkpoint: Checkpoint) -> str | None:
    """The one sentence to say where weights have to be made anew; None where the checkpoint has them all."""
    if not checkpoint.missing:
        return None
    names = checkpoint.hub_names(checkpoint.missing)
    other_size = set(checkpoint.missing) == set(checkpoint.mismatched)
    reason = "has them in another size" if other_size else "does not have them"
    return (
        f"{len(names)} weights are made anew at random, because {checkpoint.folder} {reason}: {listed(names)}. "
        "Train the model before you trust its answers."
    )


def _name_unknown(config: ModelConfig, family: Family) -> None:
    if unknown := family.unknown_settings(config):
        warnings.warn(
            f"config.json of this {config.model_type} model has settings that Headway does not know, and leaves unread: "
            f"{', '.join(unknown)}. If one of them changes what the model computes, answers here differ from the original's.",
            stacklevel=3,
        )
