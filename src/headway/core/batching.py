"""Which texts share a batch: decided from lengths alone, for inference and training alike."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """One text, or pair, as the model reads it: token ids and, for a pair, which of the two each token belongs to."""

    ids: Sequence[int]
    type_ids: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.ids)


def plan_batches(lengths: Sequence[int], *, max_tokens: int, max_texts: int | None = None) -> list[list[int]]:
    """Indices of the texts of each batch, longest batches first.

    Texts of like length stand together, so that padding to the longest of a batch costs little. A batch holds as many texts as
    fit ``max_tokens`` after padding; a single text that is longer runs alone rather than not at all.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches: list[list[int]] = []
    longest = 0
    for index in order:
        current = batches[-1] if batches else None
        fits = current is not None and (len(current) + 1) * longest <= max_tokens
        if current is not None and fits and (max_texts is None or len(current) < max_texts):
            current.append(index)
        else:
            batches.append([index])
            longest = max(1, lengths[index])
    return batches
