"""Encoder families, one file each; a file that defines ``FAMILY`` is a family. ``deberta-v2`` lives in ``deberta_v2.py``."""

from functools import cache

from headway.architecture import Family
from headway.core import registry
from headway.core.config import nearest
from headway.errors import ConfigError


@cache
def family(model_type: str) -> Family:
    """The family of a ``model_type`` as ``config.json`` spells it."""
    module = model_type.replace("-", "_")
    if module not in registry.module_names(__name__):
        raise ConfigError(f"model_type {model_type!r} is not a family that Headway knows.{nearest(model_type, model_types())}")
    found: Family = registry.load(__name__, module, "FAMILY")
    return found


def model_types() -> list[str]:
    """Every known ``model_type``."""
    return [found.model_type for found in registry.load_all(__name__, "FAMILY")]
