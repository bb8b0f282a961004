"""Inputs that are several texts each, such as a question's choices: encoded together, and told apart again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Any

from headway.tasks.task import Encoded


@dataclass(frozen=True)
class Members:
    """Where each text's sequences begin among its input's: those of the n-th go from ``starts[n]`` to ``starts[n + 1]``."""

    starts: tuple[int, ...]
    about: Any = None
    """What else is remembered of the input."""

    def split(self, parts: Sequence[Any]) -> list[Sequence[Any]]:
        """The parts of each text."""
        return [parts[start:end] for start, end in pairwise(self.starts)]


def joined(texts: Iterable[Encoded], counts: Iterable[int], about: Iterable[Any]) -> list[Encoded]:
    """Inputs of so many of the texts each, with ``Members`` as their memory; ``about`` is what each of them remembers."""
    texts = iter(texts)
    return [_together(list(islice(texts, count)), one) for count, one in zip(counts, about, strict=True)]


def _together(texts: Sequence[Encoded], about: Any) -> Encoded:
    sequences = tuple(sequence for text in texts for sequence in text.sequences)
    starts = tuple(accumulate((len(text.sequences) for text in texts), initial=0))
    return Encoded(sequences, memory=Members(starts, about), dropped=sum(text.dropped for text in texts))
