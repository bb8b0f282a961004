"""Headway: encoder transformers, from raw text to a served model. Public names are imported on first use.

Beside those listed here there are the class names of tutorials, ``BertForSequenceClassification``, ``DistilBertTokenizerFast``,
``RobertaConfig`` and their like, made from the families that Headway knows; ``dir(headway)`` lists them all.
"""

TYPE_CHECKING = False  # typing's own takes ten times as long to import as all the rest of this module
if TYPE_CHECKING:
    from typing import Any

    from headway.bulk import predict_files
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
    from headway.evaluation import evaluate
    from headway.inference import Pipeline, pipeline
    from headway.neural import (
        AutoModel,
        AutoModelForMaskedLM,
        AutoModelForMultipleChoice,
        AutoModelForNextSentencePrediction,
        AutoModelForPreTraining,
        AutoModelForQuestionAnswering,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )
    from headway.settings.training import TrainingArguments
    from headway.text import AutoTokenizer
    from headway.training import Trainer
    from headway.training.collators import (
        DataCollatorForLanguageModeling,
        DataCollatorForMultipleChoice,
        DataCollatorForTokenClassification,
        DataCollatorForWholeWordMask,
        DataCollatorWithPadding,
        DefaultDataCollator,
        default_data_collator,
    )

__version__ = "0.1.0"

__all__ = [
    "AutoConfig",
    "AutoModel",
    "AutoModelForMaskedLM",
    "AutoModelForMultipleChoice",
    "AutoModelForNextSentencePrediction",
    "AutoModelForPreTraining",
    "AutoModelForQuestionAnswering",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "AutoTokenizer",
    "CheckpointError",
    "ConfigError",
    "DataCollatorForLanguageModeling",
    "DataCollatorForMultipleChoice",
    "DataCollatorForTokenClassification",
    "DataCollatorForWholeWordMask",
    "DataCollatorWithPadding",
    "DataError",
    "DefaultDataCollator",
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
    "default_data_collator",
    "evaluate",
    "pipeline",
    "predict_files",
]

_HOMES = {
    "AutoConfig": "headway.checkpoints.configuration",
    "AutoTokenizer": "headway.text",
    "Pipeline": "headway.inference",
    "Trainer": "headway.training",
    "TrainingArguments": "headway.settings.training",
    "evaluate": "headway.evaluation",
    "pipeline": "headway.inference",
    "predict_files": "headway.bulk",
}

_MAKERS = {
    "config": ("headway.checkpoints.configuration", "config_class"),
    "model": ("headway.neural.classes", "known_class"),
    "tokenizer": ("headway.text.classes", "tokenizer_class"),
}
"""What makes a class of tutorials, by its kind."""


def __getattr__(name: str) -> "Any":
    if name in __all__:
        found = _public(name)
    elif name[:1].isupper():
        found = _class_of_a_family(name)
    else:
        raise AttributeError(f"module 'headway' has no attribute {name!r}.")
    globals()[name] = found
    return found


def __dir__() -> "list[str]":
    from headway.families._classes import known_classes

    return sorted({*__all__, *known_classes()})


def _public(name: str) -> "Any":
    from importlib import import_module

    if "DataCollator" in name or name == "default_data_collator":
        home = "headway.training.collators"
    else:
        home = _HOMES.get(name, "headway.neural" if name.startswith("AutoModel") else "headway.errors")
    if home.startswith(("headway.neural", "headway.training")):
        _require_torch(name)
    return getattr(import_module(home), name)


def _class_of_a_family(name: str) -> "Any":
    """The class that tutorials call so, from what its family's file says."""
    from headway.families._classes import absent, known_classes

    known = known_classes().get(name)
    if known is None:
        from headway.core.config import closest

        near = closest(name, {*__all__, *known_classes()}) or f" It has {', '.join(__all__)}, and its families' class names."
        reason = absent(name)
        raise AttributeError(f"module 'headway' has no attribute {name!r}.{near if reason is None else f' {reason}'}")
    if known.kind == "model":
        _require_torch(name)
    from importlib import import_module

    home, maker = _MAKERS[known.kind]
    return getattr(import_module(home), maker)(known)


def _require_torch(name: str) -> None:
    from headway.core.extras import require_torch

    require_torch(f"headway.{name}")
