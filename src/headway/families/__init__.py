"""Encoder families, one file each; a file that defines ``FAMILY`` is a family. ``deberta-v2`` lives in ``deberta_v2.py``."""

from functools import cache

from headway.architecture import Family, ModelConfig
from headway.core import registry
from headway.core.config import nearest
from headway.errors import ConfigError


@cache
def family(model_type: str) -> Family:
    """The family of a ``model_type`` as ``config.json`` spells it."""
    if not is_known(model_type):
        raise ConfigError(f"model_type {model_type!r} is not a family that Headway knows.{nearest(model_type, model_types())}")
    found: Family = registry.load(__name__, _module(model_type), "FAMILY")
    return found


def model_types() -> list[str]:
    """Every known ``model_type``."""
    return [found.model_type for found in registry.load_all(__name__, "FAMILY")]


def is_known(model_type: str) -> bool:
    """Whether there is such a family."""
    return _module(model_type) in registry.module_names(__name__)


def recognised(config: ModelConfig) -> ModelConfig:
    """The same configuration with its family's defaults and spellings, where Headway knows the family."""
    return family(config.model_type).known(config) if is_known(config.model_type) else config


def _module(model_type: str) -> str:
    return model_type.replace("-", "_")
