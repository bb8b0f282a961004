"""``AutoModel`` and its kin: a model by folder, shipped name or Hub id, with the head that the class names."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from headway.architecture import Architecture, ModelConfig
from headway.architecture.family import HeadName
from headway.families import family
from headway.neural.model import EncoderModel

LOCATION = ("revision", "token", "local_files_only", "cache_dir")


class _AutoClass:
    """A factory for models with one kind of head. Instances are never made."""

    head: ClassVar[HeadName]

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, *, ignore_mismatched_sizes: bool = False, **settings: Any) -> EncoderModel:
        """The model in evaluation mode.

        ``revision``, ``token``, ``local_files_only`` and ``cache_dir`` say where to look; every other keyword changes the
        configuration (``num_labels``, ``id2label``, ``hidden_dropout_prob`` ...). Weights that the checkpoint lacks are made
        anew and said once.
        """
        from headway.checkpoints import describe_new_weights, load_checkpoint

        place = {name: settings.pop(name) for name in LOCATION if name in settings}
        found = load_checkpoint(
            name_or_path, head=cls.head, changes=settings, ignore_mismatched_sizes=ignore_mismatched_sizes, **place
        )
        if (news := describe_new_weights(found)) is not None:
            warnings.warn(news, stacklevel=2)
        return build_model(found.config, found.architecture, cls.head, found.weights).eval()

    @classmethod
    def from_config(cls, config: ModelConfig) -> EncoderModel:
        """A model with new weights, in evaluation mode."""
        return build_model(config, family(config.model_type).architecture(config, cls.head), cls.head, {}).eval()


class AutoModel(_AutoClass):
    """The encoder alone: ``last_hidden_state`` and, where the family has one, ``pooler_output``."""

    head = "base"


class AutoModelForSequenceClassification(_AutoClass):
    """One label, or several, or a number for each text."""

    head = "sequence-classification"


class AutoModelForMaskedLM(_AutoClass):
    """A score for every vocabulary entry at each token."""

    head = "masked-lm"


def build_model(
    config: ModelConfig, architecture: Architecture, head: HeadName, weights: Mapping[str, np.ndarray]
) -> EncoderModel:
    """The modules with these weights; those not given are made anew (Devlin et al., 2019: normal, ``initializer_range``)."""
    model = EncoderModel(config, architecture, head)
    initialise(model, std=float(config.get("initializer_range", 0.02)))
    given = {name: torch.from_numpy(np.array(array, dtype=np.float32)) for name, array in weights.items()}
    unexpected = model.load_state_dict(given, strict=False).unexpected_keys
    assert not unexpected, unexpected
    return model


def initialise(model: nn.Module, *, std: float) -> None:
    """Normal weights, zero biases, unit norms, a zero vector for padding."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=std)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx].zero_()
