"""``AutoConfig``, and classes such as ``BertConfig``: the names under which people look for a model's configuration."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headway.architecture import Family, ModelConfig
from headway.checkpoints.loading import load_config
from headway.checkpoints.options import check_family, check_settings, sort_keywords
from headway.families import family as find_family
from headway.families._classes import KnownClass
from headway.settings.loading import Place


class AutoConfig:
    """Makes configurations. Instances are never made."""

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **keywords: Any) -> ModelConfig:
        """The configuration of a folder, a shipped model or a Hub repository.

        ``revision``, ``token``, ``local_files_only`` and ``cache_dir`` say where to look; every other keyword replaces a setting.
        One that no such model has is a ``ConfigError``.
        """
        return read(name_or_path, keywords)

    @classmethod
    def for_model(cls, model_type: str, **settings: Any) -> ModelConfig:
        """A configuration from a family's defaults: ``AutoConfig.for_model("bert", hidden_size=128)``."""
        return new_config(find_family(model_type), settings)


class ConfigClass(type):
    """What ``BertConfig`` and its like are: classes that make and recognise the configurations of one family.

    All configurations are ``ModelConfig`` objects. ``BertConfig(hidden_size=128)`` is one of the family's defaults with that
    change, and ``isinstance(config, BertConfig)`` asks for the family.
    """

    family: Family

    def __call__(cls, **settings: Any) -> ModelConfig:
        return new_config(cls.family, settings)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, ModelConfig) and value.model_type == cls.family.model_type

    def from_pretrained(cls, name_or_path: str | Path, **keywords: Any) -> ModelConfig:
        """As ``AutoConfig.from_pretrained``; a configuration of another family is a ``ConfigError``."""
        return read(name_or_path, keywords, family=cls.family)

    def from_dict(cls, values: Mapping[str, Any], **settings: Any) -> ModelConfig:
        """The configuration with these settings, which may be those of a file."""
        return new_config(cls.family, {**values, **settings})

    def from_json_file(cls, path: str | Path) -> ModelConfig:
        """The configuration in a file."""
        config = ModelConfig.from_json_file(path)
        check_family(config, cls.family, wanted=cls.__name__, place=path, suffix="Config")
        return cls.family.known(config)


def config_class(known: KnownClass) -> ConfigClass:
    """The class of a family's configurations, under the name that people know."""
    doc = f"Configurations of {known.family.model_type} models: {known.name}(…) makes one from the family's defaults."
    return ConfigClass(known.name, (), {"family": known.family, "__module__": "headway", "__doc__": doc})


def new_config(family: Family, settings: Mapping[str, Any]) -> ModelConfig:
    """The family's defaults with these changes; a setting that no such model has is refused."""
    settings = {name: value for name, value in settings.items() if name != "model_type"}
    config = family.config()
    check_settings(settings, config)
    return config.replace(**settings)


def read(name_or_path: str | Path, keywords: Mapping[str, Any], *, family: Family | None = None) -> ModelConfig:
    """The configuration in a model's folder with these changes; one of another family than asked for is refused."""
    place, settings = sort_keywords(keywords, Place)
    config = load_config(name_or_path, **asdict(place))
    if family is not None:
        check_family(config, family, wanted=f"{family.class_prefix}Config", place=name_or_path, suffix="Config")
    check_settings(settings, config)
    return config.replace(**settings)
