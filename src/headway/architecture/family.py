"""What one file in ``families/`` says about its family."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from headway.architecture.config import ModelConfig
from headway.architecture.initial import NewWeights, usual
from headway.architecture.names import WeightNames
from headway.architecture.parts import Architecture
from headway.architecture.tokenizer import TokenizerDefaults
from headway.errors import ConfigError, TaskError

HeadName: TypeAlias = Literal[
    "base",
    "sequence-classification",
    "token-classification",
    "question-answering",
    "masked-lm",
    "next-sentence",
    "pretraining",
    "multiple-choice",
    "replaced-token",
]


METADATA = frozenset(
    """
    architectures attn_implementation begin_suppress_tokens bad_words_ids bos_token_id chunk_size_feed_forward cls_token_id
    cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample dtype early_stopping
    encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task forced_bos_token_id
    forced_eos_token_id headway_shared headway_task headway_tokenizer id2label label2id language length_penalty mask_token_id
    max_length min_length model_type name no_repeat_ngram_size num_beam_groups num_beams num_labels num_return_sequences
    output_attentions output_hidden_states output_scores pad_token_id prefix problem_type remove_invalid_values
    repetition_penalty return_dict
    return_dict_in_generate sbert_ce_default_activation_function sentence_transformers sep_token_id suppress_tokens
    task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings tokenizer_class top_k top_p
    torch_dtype torchscript transformers_version typical_p unk_token_id use_bfloat16
    """.split()
)
"""Settings of any model that say nothing about its layers: labels, precision, generation, where it comes from."""

CLASS_SUFFIXES: Mapping[HeadName, str] = {
    "base": "Model",
    "sequence-classification": "ForSequenceClassification",
    "token-classification": "ForTokenClassification",
    "question-answering": "ForQuestionAnswering",
    "masked-lm": "ForMaskedLM",
    "next-sentence": "ForNextSentencePrediction",
    "pretraining": "ForPreTraining",
    "multiple-choice": "ForMultipleChoice",
    "replaced-token": "ForPreTraining",
}
"""How transformers ends the name of a model's class; no family has both of the heads that are called pre-training."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """An encoder family: how its ``config.json`` becomes an architecture, and what its weights are called on the Hub.

    ``defaults`` are the settings that are read, with what they are where a file does not have them. ``required`` are settings
    that have one supported value each. ``irrelevant`` are known and change nothing that a model here computes. ``aliases`` are
    other spellings of settings that are read. ``class_prefix`` begins the names of transformers' classes. ``pretraining`` is the
    head that ``AutoModelForPreTraining`` gives, None where it knows no such class. ``begins`` says how new weights are drawn.
    """

    model_type: str
    class_prefix: str
    heads: tuple[HeadName, ...]
    defaults: Mapping[str, Any]
    build: Callable[[ModelConfig, HeadName], Architecture]
    names: Callable[[ModelConfig, HeadName], WeightNames]
    tokenizer: TokenizerDefaults
    required: Mapping[str, Any] = field(default_factory=dict)
    irrelevant: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    pretraining: HeadName | None = "masked-lm"
    begins: Callable[[ModelConfig], NewWeights] = usual

    @property
    def class_names(self) -> dict[HeadName, str]:
        """The class of each head, as transformers calls it."""
        return {head: self.class_prefix + CLASS_SUFFIXES[head] for head in self.heads}

    def config(self, **settings: Any) -> ModelConfig:
        """A configuration from the family's defaults and these settings; defaults that say nothing are not written down."""
        said = {name: value for name, value in self.defaults.items() if value is not None}
        return self.known(ModelConfig({"model_type": self.model_type, **said})).replace(**settings)

    def known(self, config: ModelConfig) -> ModelConfig:
        """A configuration of this family that knows the family's defaults and spellings of what it does not say itself."""
        return config.known_to(self.defaults, self.aliases)

    def new_weights(self, config: ModelConfig) -> NewWeights:
        """What the weights of a new model with this configuration are drawn from."""
        return self.begins(self._whole(config))

    def architecture(self, config: ModelConfig, head: HeadName) -> Architecture:
        """The architecture that a configuration describes, with the head asked for.

        Settings absent from the file take the family's defaults. A setting whose value would need mathematics that is not here is
        refused.
        """
        if head not in self.heads:
            raise TaskError(f"{self.model_type} models have no {head!r} head here; they have {', '.join(self.heads)}.")
        for name, value in self.required.items():
            if config.get(name, value) != value:
                raise ConfigError(
                    f"{name} is {config[name]!r} in config.json, which changes what a {self.model_type} model computes; "
                    f"only {value!r} is supported. Use a checkpoint without it."
                )
        whole = self._whole(config)
        self._check_numbers(whole)
        return self.build(whole, head)

    def unknown_settings(self, config: ModelConfig) -> list[str]:
        """The settings of a configuration of which nobody knows whether they change what the model computes, sorted."""
        known = {*METADATA, *self.defaults, *self.required, *self.irrelevant, *self.aliases}
        return sorted(name for name in config.to_dict() if name not in known and not name.startswith("_"))

    def weight_names(self, config: ModelConfig, head: HeadName) -> WeightNames:
        """The two-way table between the Hub's weight names and ours, for a model with this head."""
        return self.names(self._whole(config), head)

    def head_in(self, config: ModelConfig) -> HeadName | None:
        """The head that the checkpoint was saved with, from ``architectures``; None if it names none that is known."""
        by_class = {class_name: head for head, class_name in self.class_names.items()}
        return next((by_class[name] for name in config.get("architectures") or () if name in by_class), None)

    def _whole(self, config: ModelConfig) -> ModelConfig:
        values = config.to_dict()
        spelt = {name: values[alias] for alias, name in self.aliases.items() if alias in values}
        return ModelConfig({**self.defaults, **spelt, **values})

    def _check_numbers(self, config: ModelConfig) -> None:
        for name, default in self.defaults.items():
            if isinstance(default, bool) and not isinstance(config[name], bool):
                raise ConfigError(f"{name} is {config[name]!r} in config.json, but it is true or false. Correct it.")
            if not isinstance(default, bool) and isinstance(default, int | float):
                self._check_number(name, config[name], default)

    def _check_number(self, name: str, value: Any, default: float) -> None:
        whole, least = isinstance(default, int), min(0, default)  # -1 stands for "as another setting says"
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not least <= value < math.inf:
            raise ConfigError(
                f"{name} is {value!r} in config.json, but it is a {'whole ' if whole else ''}number, not below "
                f"{least or 'zero'}. Correct it; a {self.model_type} model usually has {default}."
            )
