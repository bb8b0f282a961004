"""Settings of ``headway compare``, and how each family is fine-tuned by those who published it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.core.config import Config
from headway.errors import ConfigError

FAMOUS = (
    "distilbert/distilbert-base-uncased",
    "google-bert/bert-base-uncased",
    "FacebookAI/roberta-base",
    "microsoft/deberta-base",
)
USUAL_TASKS = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte")
"""GLUE without WNLI, which BERT's paper leaves out too (Devlin et al., 2019, section 4.1)."""


@dataclass(frozen=True, kw_only=True)
class CompareSettings(Config):
    """Which models are compared, on what, and where the results go."""

    models: tuple[str, ...] = field(default=FAMOUS, metadata={"positional": True})
    """Models to fine-tune and measure: folders, or repositories of the Hub."""

    output_dir: str
    """Folder for a result of each model, task and seed, and for the table. A run that was stopped goes on from them."""

    data: Path | None = None
    """The folder with GLUE's sets, as for headway evaluate; by default they come through the library datasets."""

    tasks: tuple[str, ...] = USUAL_TASKS
    """Sets of GLUE by name."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Each model is fine-tuned once with each of these for every task."""

    reference: str | None = None
    """The model whose speed is 1; by default the first BERT, or else the first model."""

    train_limit: int | None = None
    """Training rows of each task at most, the same ones for all models."""

    limit: int | None = None
    """Validation rows of each task at most."""

    max_length: int = 128
    """Tokens that a text may have; longer ones are cut."""

    train_settings: tuple[str, ...] = ()
    """Settings of the fine-tuning for all models in place of the published ones, as in learning_rate=1e-4 num_train_epochs=2."""

    confidence: float = 0.95
    """How sure it is that the interval over seeds holds the mean: 0.9, 0.95 or 0.99."""

    speed_items: int = 256
    """Inputs that each model answers in a round of timing; 0 for none."""

    speed_rounds: int = 5
    """Rounds of timing, in which all models take turns."""

    threads: int | None = None
    """Threads that compute while speed is measured; by default all cores that this process may use."""

    def __post_init__(self) -> None:
        """Refuse what cannot be compared, before any work is done."""
        for name in ("models", "tasks", "seeds"):
            if not getattr(self, name) or len(set(getattr(self, name))) != len(getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)}, but it names at least one, and each once. Correct it.")
        if self.confidence not in (0.9, 0.95, 0.99):
            raise ConfigError(
                f"confidence is {self.confidence}, but intervals are known for 0.9, 0.95 and 0.99. Use one of them."
            )
        if self.reference is not None and self.reference not in self.models:
            raise ConfigError(
                f"reference is {self.reference!r}, which is not among the models. Name one of {', '.join(self.models)}."
            )


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How a family is fine-tuned on GLUE, and who says so. ``by_task`` holds what differs."""

    source: str
    usual: Mapping[str, Any]
    by_task: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _each(names: str, **settings: Any) -> dict[str, Mapping[str, Any]]:
    return dict.fromkeys(names.split(), settings)


def _rated(rates: Mapping[str, tuple[float, float, int]]) -> dict[str, Mapping[str, Any]]:
    return {
        task: {"learning_rate": rate, "weight_decay": decay, "num_train_epochs": float(epochs)}
        for task, (rate, decay, epochs) in rates.items()
    }


BERT = FineTuning(
    source="Devlin et al., 2019, arXiv:1810.04805, appendix A.3: the middle of the ranges given there",
    usual={
        "learning_rate": 3e-5, "num_train_epochs": 3.0, "per_device_train_batch_size": 32, "warmup_steps": 0.1,
        "weight_decay": 0.01,
    },
)  # fmt: skip
ROBERTA = FineTuning(
    source="Liu et al., 2019, arXiv:1907.11692, table 10, with the rates of fairseq's README for each task",
    usual={
        "learning_rate": 1e-5, "num_train_epochs": 10.0, "per_device_train_batch_size": 32, "warmup_steps": 0.06,
        "weight_decay": 0.1, "adam_beta2": 0.98, "adam_epsilon": 1e-6,
    },
    by_task={
        **_each("mrpc cola", per_device_train_batch_size=16),
        **_each("rte stsb", per_device_train_batch_size=16, learning_rate=2e-5),
    },
)  # fmt: skip
DEBERTA = FineTuning(
    source="He et al., 2021, arXiv:2006.03654, appendix A.2, with the rate, epochs and warm-up of the published script for STS-B",
    usual={
        "learning_rate": 2e-5, "num_train_epochs": 6.0, "per_device_train_batch_size": 32, "warmup_steps": 100.0,
        "weight_decay": 0.01, "adam_epsilon": 1e-6,
    },
)  # fmt: skip
PRESETS: Mapping[str, FineTuning] = {
    "bert": BERT,
    "distilbert": FineTuning(
        source="the script run_glue of transformers, with which its authors fine-tune it: README of text-classification",
        usual={
            "learning_rate": 2e-5, "num_train_epochs": 3.0, "per_device_train_batch_size": 32, "warmup_steps": 0.0,
            "weight_decay": 0.0,
        },
        by_task=_each("mrpc wnli", num_train_epochs=5.0),
    ),
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "deberta": DEBERTA,
    "deberta-v2": DEBERTA,
    "electra": FineTuning(
        source="Clark et al., 2020, arXiv:2003.10555, appendix B, for the base size",
        usual={
            "learning_rate": 1e-4, "num_train_epochs": 3.0, "per_device_train_batch_size": 32, "warmup_steps": 0.1,
            "weight_decay": 0.0, "layerwise_lr_decay": 0.8,
        },
        by_task=_each("rte stsb", num_train_epochs=10.0),
    ),
    "modernbert": FineTuning(
        source="Warner et al., 2024, arXiv:2412.13663, table 6, for the base size",
        usual={
            "learning_rate": 5e-5, "num_train_epochs": 3.0, "per_device_train_batch_size": 32, "warmup_steps": 0.06,
            "weight_decay": 5e-6, "adam_beta2": 0.98, "adam_epsilon": 1e-6,
        },
        by_task=_rated({
            "cola": (8e-5, 1e-6, 5), "mnli": (5e-5, 5e-6, 1), "mrpc": (5e-5, 5e-6, 10), "qnli": (8e-5, 5e-6, 2),
            "qqp": (5e-5, 5e-6, 10), "rte": (5e-5, 1e-5, 3), "sst2": (8e-5, 1e-5, 2), "stsb": (8e-5, 5e-6, 10),
        }),
    ),
}  # fmt: skip


def published(model_type: str) -> FineTuning:
    """How a family is fine-tuned; one that is not listed as BERT is."""
    return PRESETS.get(model_type, BERT)
