"""Adapters by ``peft``: a model that it wrapped is trained like any other, and its checkpoints hold the adapter alone.

``peft`` imports transformers, so nothing of it is imported here before somebody brings such a model.
"""

import importlib
from pathlib import Path
from typing import Any

from headway.errors import ConfigError
from headway.neural.model import EncoderModel


def is_adapted(model: Any) -> bool:
    """Whether ``peft`` wrapped the model."""
    return hasattr(model, "peft_config") and hasattr(model, "get_base_model")


def encoder_of(model: Any) -> EncoderModel:
    """The encoder itself, with the adapters in it where there are any; something else is a ``ConfigError``."""
    found = model.get_base_model() if is_adapted(model) else model
    if not isinstance(found, EncoderModel):
        raise ConfigError(
            f"model is a {type(found).__module__}.{type(found).__name__}, but Trainer trains Headway's encoders. Load "
            f"it here, for "
            "example with AutoModelForSequenceClassification.from_pretrained(…), which reads the same checkpoints."
        )
    return found


def load_adapter(folder: Path, model: Any) -> None:
    """Put the adapter of a checkpoint into the model."""
    peft = importlib.import_module("peft")
    weights = importlib.import_module("safetensors.torch").load_file(folder / "adapter_model.safetensors")
    peft.set_peft_model_state_dict(model, weights)
