"""What one file in ``families/`` says about its family."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from headway.architecture.config import ModelConfig
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


@dataclass(frozen=True, kw_only=True)
class Family:
    """An encoder family: how its ``config.json`` becomes an architecture, and what its weights are called on the Hub.

    ``defaults`` are the settings that are read, with what they are where a file does not have them. ``required`` are settings
    that have one supported value each. ``irrelevant`` are known and change nothing that a model here computes.
    """

    model_type: str
    defaults: Mapping[str, Any]
    build: Callable[[ModelConfig, HeadName], Architecture]
    names: Callable[[ModelConfig, HeadName], WeightNames]
    class_names: Mapping[HeadName, str]
    tokenizer: TokenizerDefaults
    required: Mapping[str, Any] = field(default_factory=dict)
    irrelevant: tuple[str, ...] = ()

    def config(self, **settings: Any) -> ModelConfig:
        """A configuration from the family's defaults and these settings."""
        labels = {name: settings.pop(name) for name in ("num_labels", "id2label", "label2id") if name in settings}
        return ModelConfig({"model_type": self.model_type, **self.defaults, **settings}).replace(**labels)

    def architecture(self, config: ModelConfig, head: HeadName) -> Architecture:
        """The architecture that a configuration describes, with the head asked for.

        Settings absent from the file take the family's defaults. A setting whose value would need mathematics that is not here is
        refused.
        """
        if head not in self.class_names:
            raise TaskError(f"{self.model_type} models have no {head!r} head here; they have {', '.join(self.class_names)}.")
        for name, value in self.required.items():
            if config.get(name, value) != value:
                raise ConfigError(
                    f"{name} is {config[name]!r} in config.json, which changes what a {self.model_type} model computes; "
                    f"only {value!r} is supported. Use a checkpoint without it."
                )
        whole = self._whole(config)
        self._check_numbers(whole)
        return self.build(whole, head)

    def weight_names(self, config: ModelConfig, head: HeadName) -> WeightNames:
        """The two-way table between the Hub's weight names and ours, for a model with this head."""
        return self.names(self._whole(config), head)

    def head_in(self, config: ModelConfig) -> HeadName | None:
        """The head that the checkpoint was saved with, from ``architectures``; None if it names none that is known."""
        by_class = {class_name: head for head, class_name in self.class_names.items()}
        return next((by_class[name] for name in config.get("architectures") or () if name in by_class), None)

    def _whole(self, config: ModelConfig) -> ModelConfig:
        return ModelConfig({**self.defaults, **config.to_dict()})

    def _check_numbers(self, config: ModelConfig) -> None:
        for name, default in self.defaults.items():
            value, whole = config[name], isinstance(default, int)
            if not isinstance(default, int | float):
                continue
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or value < 0:
                raise ConfigError(
                    f"{name} is {value!r} in config.json, but it is a {'whole ' if whole else ''}number, not below zero. "
                    f"Correct it; a {self.model_type} model usually has {default}."
                )
