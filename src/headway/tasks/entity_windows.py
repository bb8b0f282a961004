"""Long texts in windows: how the scores of the windows become those of the text, or their entities those of the text.

Shapes: T tokens of a text, W tokens of a window, L labels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from headway.tasks.entity_words import TextTokens

Entity: TypeAlias = dict[str, Any]
"""A record of an answer."""


@dataclass(frozen=True, eq=False)
class Reading:
    """An input's tokens in the windows that the model reads."""

    windows: tuple[TextTokens, ...]
    whole: TextTokens | None = None
    """All of its tokens, where the scores of the windows are joined before labels are chosen."""

    def joined(self, parts: Sequence[np.ndarray]) -> list[tuple[TextTokens, np.ndarray]]:
        """The tokens with their scores, (tokens, labels): of the whole text, or of each window."""
        if self.whole is None:
            return list(zip(self.windows, parts, strict=True))
        return [(self.whole, joined_scores(parts, self.windows, whole=self.whole))]


def joined_scores(parts: Sequence[np.ndarray], windows: Sequence[TextTokens], *, whole: TextTokens) -> np.ndarray:
    """The scores of all tokens of a text, (tokens, labels), from those of its windows.

    Each token has them from the window in which the nearer end is farthest away, so that it was read with most context: the rule
    by which BERT's authors read SQuAD (``run_squad.py``, Devlin et al., 2019, arXiv:1810.04805). Of
    equals the earlier counts.
    """
    place_of = {place: row for row, place in enumerate(whole.places)}
    context_T, scores_TL = np.full(len(place_of), -1), np.zeros((len(place_of), parts[0].shape[-1]), dtype=parts[0].dtype)
    for part_WL, window in zip(parts, windows, strict=True):
        rows_W = np.array([place_of[place] for place in window.source_places], dtype=np.int64)
        nearer_W = np.minimum(np.arange(len(rows_W)), np.arange(len(rows_W))[::-1])
        better_W = nearer_W > context_T[rows_W]
        context_T[rows_W[better_W]] = nearer_W[better_W]
        scores_TL[rows_W[better_W]] = part_WL[better_W]
    return scores_TL


def merged(entities: Iterable[Entity]) -> list[Entity]:
    """The entities of overlapping windows: of those that overlap the longest, of equally long ones the surest.

    transformers' rule (``aggregate_overlapping_entities``).
    """
    found: list[Entity] = []
    for entity in sorted(entities, key=lambda entity: entity["start"]):
        if not found or entity["start"] >= found[-1]["end"]:
            found.append(entity)
        elif _weight(entity) > _weight(found[-1]):
            found[-1] = entity
    return found


def _weight(entity: Entity) -> tuple[int, float]:
    return entity["end"] - entity["start"], entity["score"]
