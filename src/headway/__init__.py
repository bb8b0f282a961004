"""Headway: encoder transformers, from raw text to a served model. Public names are imported on first use."""

TYPE_CHECKING = False  # typing's own takes ten times as long to import as all the rest of this module
if TYPE_CHECKING:
    from typing import Any

    from headway.checkpoints.configuration import AutoConfig
    from headway.errors import (
        CheckpointError,
        ConfigError,
        DataError,
        EngineError,
        HeadwayError,
        InputError,
        MissingExtraError,
        TaskError,
        TokenizerError,
        WeightError,
    )
    from headway.inference import Pipeline, pipeline
    from headway.neural import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification
    from headway.settings.training import TrainingArguments
    from headway.text import AutoTokenizer
    from headway.training import Trainer

__version__ = "0.1.0"

__all__ = [
    "AutoConfig",
    "AutoModel",
    "AutoModelForMaskedLM",
    "AutoModelForSequenceClassification",
    "AutoTokenizer",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "EngineError",
    "HeadwayError",
    "InputError",
    "MissingExtraError",
    "Pipeline",
    "TaskError",
    "TokenizerError",
    "Trainer",
    "TrainingArguments",
    "WeightError",
    "__version__",
    "pipeline",
]

_HOMES = {
    "AutoConfig": "headway.checkpoints.configuration",
    "AutoModel": "headway.neural",
    "AutoModelForMaskedLM": "headway.neural",
    "AutoModelForSequenceClassification": "headway.neural",
    "AutoTokenizer": "headway.text",
    "Pipeline": "headway.inference",
    "Trainer": "headway.training",
    "TrainingArguments": "headway.settings.training",
    "pipeline": "headway.inference",
}
_NEED_TORCH = {"headway.neural", "headway.training"}


def __getattr__(name: str) -> "Any":
    if name not in __all__:
        raise AttributeError(f"module 'headway' has no attribute {name!r}; it has {', '.join(__all__)}.")
    from importlib import import_module

    home = _HOMES.get(name, "headway.errors")
    if home in _NEED_TORCH:
        from headway.core.extras import require_torch

        require_torch(f"headway.{name}")
    found = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> "list[str]":
    return __all__
