"""``AutoModel`` and its kin: a model by folder or Hub id, with the head that the class names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from headway.architecture import Architecture, ModelConfig
from headway.architecture.family import HeadName
from headway.errors import ConfigError
from headway.neural.classes import FamilyModel, model_class
from headway.neural.loading import load_model, new_model


class _AutoClass:
    """A factory for models with one kind of head, of the family that ``config.json`` names. Instances are never made."""

    head: ClassVar[HeadName | None]

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        name = type(self).__name__
        raise ConfigError(f"{name} makes models, and is none. Use {name}.from_pretrained(…) or {name}.from_config(…).")

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, *, config: ModelConfig | str | Path | None = None, **keywords: Any) -> Any:
        """The model of a folder or a Hub repository, in evaluation mode.

        Options are ``revision``, ``token``, ``local_files_only``, ``cache_dir``, ``ignore_mismatched_sizes``, ``dtype``,
        ``device_map``, ``attn_implementation``, ``add_pooling_layer`` and ``output_loading_info`` (see
        ``headway.settings.loading``). Every other keyword changes the configuration (``num_labels``, ``id2label``,
        ``hidden_dropout_prob`` …); one that means nothing is a ``ConfigError``. ``config`` stands in for the checkpoint's own.
        Weights that the checkpoint lacks are made anew and said once.
        """
        return load_model(name_or_path, head=cls.head, config=config, keywords=keywords)

    @classmethod
    def from_config(cls, config: ModelConfig, **keywords: Any) -> FamilyModel:
        """A model with new weights, in training mode. ``dtype``, ``device_map`` and ``add_pooling_layer`` as above."""
        return new_model(config, head=cls.head, keywords=keywords)


class AutoModel(_AutoClass):
    """The encoder alone: ``last_hidden_state`` and, where the family has one, ``pooler_output``."""

    head = "base"


class AutoModelForSequenceClassification(_AutoClass):
    """One label, or several, or a number for each text."""

    head = "sequence-classification"


class AutoModelForTokenClassification(_AutoClass):
    """One label for each token."""

    head = "token-classification"


class AutoModelForQuestionAnswering(_AutoClass):
    """Where in the text the answer begins and ends."""

    head = "question-answering"


class AutoModelForMaskedLM(_AutoClass):
    """A score for every vocabulary entry at each token."""

    head = "masked-lm"


class AutoModelForNextSentencePrediction(_AutoClass):
    """Whether the second text follows the first."""

    head = "next-sentence"


class AutoModelForMultipleChoice(_AutoClass):
    """One score for each choice."""

    head = "multiple-choice"


class AutoModelForPreTraining(_AutoClass):
    """The head of the family's pre-training as transformers has it: BERT's pair, ELECTRA's discriminator, else a masked LM."""

    head = None


def build_model(
    config: ModelConfig, architecture: Architecture, head: HeadName, weights: Mapping[str, np.ndarray]
) -> FamilyModel:
    """The modules with these weights; those not given are made anew as the family begins."""
    return model_class(config.model_type, head)(config, architecture, weights=weights)
