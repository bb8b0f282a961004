"""Adapters by ``peft``: a model that it wrapped is trained like any other, and its checkpoints hold the adapter alone.

``peft`` imports transformers, so nothing of it is imported here before somebody brings such a model.
"""

import importlib
from pathlib import Path
from typing import Any

from headway.architecture import weight_shapes
from headway.errors import ConfigError
from headway.neural.model import EncoderModel

TASKS = ("SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS")


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


def check_head(model: Any) -> None:
    """Refuse an adapter that is made for a task while the head of that task is not trained."""
    if not is_adapted(model) or not any(one.task_type in TASKS for one in model.peft_config.values()):
        return
    encoder = encoder_of(model)
    architecture = encoder.family.architecture(encoder.config, encoder.head_name)
    table = encoder.family.weight_names(encoder.config, encoder.head_name)
    own = {
        ours
        for ours in weight_shapes(architecture)
        if not any(name.startswith(table.prefix) for name in table.names_of(ours, has_head=True))
    }
    weights = dict(encoder.named_parameters())
    frozen = sorted({name.rpartition(".")[0] for name in own & weights.keys() if not weights[name].requires_grad})
    if frozen:
        parts = list(
            dict.fromkeys(name.partition(".")[0] if name.startswith("pooler") else name.split(".")[-1] for name in frozen)
        )
        raise ConfigError(
            f"The adapter's task_type says what the model learns, but {', '.join(frozen)} of the head would stay as "
            f"they are. Name "
            f"them too: LoraConfig(…, modules_to_save={parts})."
        )


def load_adapter(folder: Path, model: Any) -> None:
    """Put the adapter of a checkpoint into the model."""
    peft = importlib.import_module("peft")
    weights = importlib.import_module("safetensors.torch").load_file(folder / "adapter_model.safetensors")
    peft.set_peft_model_state_dict(model, weights)
