"""Labels that a model tells apart and the data does not: of natural-language inference, neutral and contradiction.

RTE, QNLI and WNLI ask whether a text entails another or not, so both of them are "not entailment" there: a model of three labels
gives that the sum of their probabilities.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from headway.evaluation.rows import LOOKED_AT, Data
from headway.tasks import ModelFacts
from headway.tasks.classification_scorer import LabelScorer, ReadScores
from headway.tasks.references import folded

KINDS = ("entail", "neutral", "contradict")
"""How the names of the labels begin."""
OPPOSITES = ("not entailment", "non entailment", "no entailment", "not entailed")
"""What data sets call the opposite of entailment, whatever the case and the hyphens."""


def merged(scorer: LabelScorer, facts: ModelFacts, named: Iterable[str]) -> tuple[LabelScorer, ModelFacts, tuple[str, ...]]:
    """The measure and the model's facts for data with labels of these names, and what has to be said about them.

    They are others than the given ones where the model tells entailment, neutral and contradiction, and the data has a name for
    the opposite of entailment alone.
    """
    opposite = _opposite(named)
    if opposite is None:
        return scorer, facts, ()
    same, *others = _by_kind(scorer.labels)
    labels = (same, opposite)
    note = (
        f"The data does not tell {others[0]} from {others[1]}, as the model does: both are {opposite} here, whose score is the "
        "sum of theirs."
    )
    config = facts.config.replace(id2label=dict(enumerate(labels)))
    read = Joined(scorer.read, labels, tuple(others), are_probabilities=scorer.are_probabilities)
    return replace(scorer, labels=labels, read=read), replace(facts, config=config), (note,)


def is_inference(labels: Sequence[str]) -> bool:
    """Whether a model's labels are entailment, neutral and contradiction, in any order."""
    return len(labels) == 3 and all(sum(folded(label).startswith(kind) for label in labels) == 1 for kind in KINDS)


def told_apart(source: Data, column: str) -> tuple[str, ...]:
    """The first label of the data that says whether it tells neutral from contradiction; none where no label does."""
    rows = islice(source.rows(), 1 if source.once else LOOKED_AT)
    labels = (str(row.get(column)) for row in rows)
    return tuple(islice((label for label in labels if folded(label).startswith((*OPPOSITES, "neutral", "contradict"))), 1))


@dataclass(frozen=True)
class Joined:
    """Reads from an answer the scores of entailment and of its opposite, which has those of the ``others`` together."""

    read: ReadScores
    labels: tuple[str, str]
    others: tuple[str, ...]
    are_probabilities: bool

    def __call__(self, answer: Any) -> Mapping[str, float]:
        """The scores by the two labels; of logits the logarithm of the summed exponentials, as softmax would have it."""
        scores = self.read(answer)
        apart = [scores.get(other, -np.inf) for other in self.others]
        together = sum(apart) if self.are_probabilities else np.logaddexp.reduce(apart)
        return {self.labels[0]: scores.get(self.labels[0], -np.inf), self.labels[1]: float(together)}


def _by_kind(labels: Sequence[str]) -> list[str]:
    """The labels that are entailment, neutral or contradiction, in this order."""
    return [label for kind in KINDS for label in labels if folded(label).startswith(kind)]


def _opposite(named: Iterable[str]) -> str | None:
    """What the data calls the opposite of entailment, where it has no label beside the two."""
    names = list(named)
    found = [name for name in names if folded(name) in OPPOSITES]
    others = [name for name in names if name not in found and not folded(name).startswith("entail")]
    return found[0] if found and not others else None
