"""What a cross-encoder's folder says beside the model: what turns logits into scores, prompts, lengths.

As sentence-transformers reads it: ``config_sentence_transformers.json`` first, then ``config.json``, in its present and its old
form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.core.config import read_object
from headway.errors import TaskError
from headway.tasks.task import ModelFacts
from headway.tasks.text_classification import Activation

FUNCTIONS: Mapping[str, Activation] = {"Identity": "none", "Sigmoid": "sigmoid"}
"""The classes of torch that turn a single logit into a score, by their last name."""


@dataclass(frozen=True, kw_only=True)
class CrossEncoder:
    """How pairs are read and scored."""

    function: str | None = None
    """The path of a class of torch, where one is named."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    """The name of the prompt that is put before queries."""
    lowercase: bool = False
    max_length: int | None = None

    def activation(self) -> Activation:
        """What turns the only logit into a score: sigmoid unless another function is named."""
        if self.function is None:
            return "sigmoid"
        name = self.function.rpartition(".")[2]
        if name not in FUNCTIONS:
            raise TaskError(
                f"This model's files name {self.function!r} as what turns logits into scores, which is not computed here; "
                f"known are {', '.join(FUNCTIONS)}. Choose yourself: function_to_apply='sigmoid' or 'none'."
            )
        return FUNCTIONS[name]

    def prompt(self, name: str | None) -> str:
        """The prompt of this name; for None the default one, or nothing where there is none."""
        name = self.default_prompt if name is None else name
        if name is None:
            return ""
        if name not in self.prompts:
            raise TaskError(
                f"prompt_name is {name!r}, but the model's prompts are {', '.join(self.prompts) or '(none)'}. Name one of them, "
                "or give the prompt itself: prompt='query: '."
            )
        return self.prompts[name] or ""


def read_cross_encoder(facts: ModelFacts) -> CrossEncoder:
    """The folder's settings, and the configuration's for a model without a folder."""
    ours, lengths = _object(facts, "config_sentence_transformers.json"), _object(facts, "sentence_bert_config.json")
    return CrossEncoder(
        function=ours.get("activation_fn") or _function(facts),
        prompts=ours.get("prompts") or {},
        default_prompt=ours.get("default_prompt_name"),
        lowercase=bool(lengths.get("do_lower_case")),
        max_length=lengths.get("max_seq_length"),
    )


def _function(facts: ModelFacts) -> str | None:
    """The function that ``config.json`` names."""
    settings = facts.config.get("sentence_transformers") or {}
    old: str | None = facts.config.get("sbert_ce_default_activation_function")
    return settings.get("activation_fn", old)


def _object(facts: ModelFacts, name: str) -> dict[str, Any]:
    path: Path | None = None if facts.folder is None else facts.folder / name
    return read_object(path) if path is not None and path.is_file() else {}
