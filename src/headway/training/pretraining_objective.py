"""What one file in ``training/objectives/`` says about pre-training: ``PRETRAINING``."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from headway.architecture import Family
from headway.architecture.family import HeadName
from headway.core import registry
from headway.core.config import nearest
from headway.errors import ConfigError
from headway.neural.model import EncoderModel
from headway.settings.pretraining import PretrainSettings
from headway.training.batch import Batch, step_operations
from headway.training.corpus import Corpus
from headway.training.pieces import Examples

OBJECTIVES = "headway.training.objectives"
Sums: TypeAlias = Mapping[str, tuple[float, float]]
"""Figures of a batch by name, each as a sum and what it is to be divided by."""


@dataclass(frozen=True, kw_only=True)
class PretrainingObjective:
    """What a model learns from raw text. The loss is summed over masked tokens; other terms weigh as much as those together."""

    head: HeadName
    """The head that a family needs."""
    examples: Callable[[Corpus, np.ndarray, int, np.random.Generator], Examples]
    """The texts of the chosen documents, one boolean each, of at most so many tokens, in one epoch."""
    loss_sum: Callable[[Any, Batch], Tensor]
    scores: Callable[[Any, Batch], Sums]
    """Loss, accuracy and what else is of interest, on held-out text."""
    reads_sentences: bool = False
    changes: bool = False
    """Whether an epoch's texts differ from the next one's."""
    masked: float = 0.8
    replaced: float = 0.1
    complete: Callable[[EncoderModel, PretrainSettings], Any] = lambda model, settings: model
    """What is trained, around the model that is the result."""
    encoders: Callable[[Any], Sequence[EncoderModel]] = lambda model: (model,)
    """The encoders that are trained together; the first is the result."""
    operations: Callable[[Any, Sequence[int], int], int] = step_operations
    """What they compute in a batch's part of a step: texts of these lengths, of which so many tokens are predicted."""


def find_objective(name: str) -> PretrainingObjective:
    """The objective of this name, ``masked-lm`` for ``masked_lm.py``."""
    known = objective_names()
    if name not in known:
        raise ConfigError(f"There is no pre-training objective {name!r}.{nearest(name, known)}")
    found: PretrainingObjective = registry.load(OBJECTIVES, name.replace("-", "_"), "PRETRAINING")
    return found


def objective_names() -> list[str]:
    """The objectives in the folder."""
    modules = registry.module_names(OBJECTIVES)
    found = ((name, importlib.import_module(f"{OBJECTIVES}.{name}")) for name in modules)
    return [name.replace("_", "-") for name, module in found if hasattr(module, "PRETRAINING")]


def check_head(family: Family, head: HeadName, objective: str) -> None:
    """Refuse a family that has not the head of an objective."""
    from headway.families import family as find_family
    from headway.families import model_types

    if head not in family.heads:
        able = [name for name in model_types() if head in find_family(name).heads]
        raise ConfigError(
            f"The objective {objective!r} needs the head {head!r}, which {family.model_type} models do not have. Use a family "
            f"that has: {', '.join(able)}; or another objective, such as masked-lm."
        )
