"""What the labels of a model of natural-language inference mean."""

import warnings
from dataclasses import dataclass
from typing import Any

from headway.architecture import ModelConfig
from headway.errors import TaskError


@dataclass(frozen=True)
class Verdicts:
    """The places of two of a model's labels: that the first text entails the second, and that it contradicts it."""

    entailment: int
    contradiction: int


def verdicts_of(config: ModelConfig) -> Verdicts:
    """The places by transformers' rule.

    Entailment is the first label whose name begins with "entail", or the last one where there is none, of which a warning
    tells. Contradiction is the first label, or the last where the first is entailment.
    """
    last = config.num_labels - 1
    if not last:
        raise TaskError(
            f"This model has a single label, {config.id2label[0]}, but zero-shot classification compares entailment with "
            "contradiction. Choose a model trained for natural-language inference (NLI)."
        )
    found = [place for name, place in _named(config) if name.lower().startswith("entail") and 0 <= place <= last]
    if not found:
        warnings.warn(
            f"None of this model's labels ({', '.join(config.id2label.values())}) begins with 'entail', so the last one is taken "
            "for entailment. Name it in id2label in config.json, or choose a model trained for natural-language inference (NLI).",
            stacklevel=2,
        )
    entailment = found[0] if found else last
    return Verdicts(entailment, 0 if entailment else last)


def _named(config: ModelConfig) -> list[tuple[str, int]]:
    """Labels with their places: as ``label2id`` in the file has them, then as ``id2label`` does."""
    written: Any = config.get("label2id")
    named = written.items() if isinstance(written, dict) else []
    plain = [(str(name), place) for name, place in named if isinstance(place, int)]
    return plain + list(config.label2id.items())
