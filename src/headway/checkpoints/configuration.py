"""``AutoConfig``: the name under which people look for a model's configuration."""

from pathlib import Path
from typing import Any

from headway.architecture import ModelConfig
from headway.checkpoints.loading import load_config
from headway.families import family

LOCATION = ("revision", "token", "local_files_only", "cache_dir")


class AutoConfig:
    """Makes configurations. Instances are never made."""

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **settings: Any) -> ModelConfig:
        """The configuration of a folder, a shipped model or a Hub repository.

        ``revision``, ``token``, ``local_files_only`` and ``cache_dir`` say where to look; every other keyword replaces a setting.
        """
        place = {name: settings.pop(name) for name in LOCATION if name in settings}
        return load_config(name_or_path, **place).replace(**settings)

    @classmethod
    def for_model(cls, model_type: str, **settings: Any) -> ModelConfig:
        """A configuration from a family's defaults: ``AutoConfig.for_model("bert", hidden_size=128)``."""
        return family(model_type).config(**settings)
