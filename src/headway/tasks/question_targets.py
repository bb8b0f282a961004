"""What a model learns from the answer to a question: with which tokens it begins and ends, in each window of the context."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from headway.errors import DataError
from headway.tasks.question_windows import Passage, Window
from headway.tasks.squad_metrics import gold_answers
from headway.tasks.task import Encoded, Example, Labels, ModelFacts

NOWHERE = (0, 0)
"""The first token, which stands for there being no answer (Devlin et al., 2019, arXiv:1810.04805, section 4.3)."""


def answer_examples(encoded: Encoded, reference: Mapping[str, Any], facts: ModelFacts) -> list[Example]:
    """Each window, with the first and the last token of the answer where it holds all of it, else with ``NOWHERE``."""
    passage: Passage = encoded.memory
    span = answer_span(reference["answers"], passage.text)
    tokens = None if span is None else tokens_of(passage, *span)
    windows = zip(encoded.sequences, passage.windows, strict=True)
    return [Example((sequence,), NOWHERE if tokens is None else _inside(window, *tokens)) for sequence, window in windows]


def both_ends(references: Iterable[Mapping[str, Any]], problem: str | None) -> Labels:
    """The two outputs of a token, that an answer begins and that it ends there, which have no names."""
    return Labels(("LABEL_0", "LABEL_1"))


def answer_span(value: Any, context: str) -> tuple[int, int] | None:
    """Where the first right answer stands in the context, in characters; None where there is none.

    Without its ``answer_start`` it has to stand in the context exactly once.
    """
    answers = gold_answers(value)
    if not answers:
        return None
    answer, start = answers[0], _first_start(value)
    if start is None:
        if (times := context.count(answer)) != 1:
            raise DataError(
                f"The answer {answer!r} stands in its context {times} times, so which of them is meant is not known. Give its "
                "first character as answer_start, or correct the row."
            )
        start = context.index(answer)
    if start < 0 or context[start : start + len(answer)] != answer:
        found = context[max(0, start) : max(0, start) + len(answer)]
        raise DataError(
            f"The answer {answer!r} does not stand at character {start} of its context, where {found!r} is. Correct its "
            "answer_start, which counts characters from 0, or remove the row."
        )
    return start, start + len(answer)


def tokens_of(passage: Passage, start: int, end: int) -> tuple[int, int]:
    """The first and the last token of the context that hold characters from ``start`` up to ``end``."""
    begins_T, ends_T = passage.offsets[:, 0], passage.offsets[:, 1]
    touched = np.flatnonzero((ends_T > start) & (begins_T < end))
    if not len(touched):
        raise DataError(
            f"The answer {passage.text[start:end]!r} has no token that the model reads, so it cannot be learnt. Correct or "
            "remove the row."
        )
    return int(touched[0]), int(touched[-1])


def _inside(window: Window, first: int, last: int) -> tuple[int, int]:
    if first < window.start or last >= window.start + window.count:
        return NOWHERE
    return window.place + first - window.start, window.place + last - window.start


def _first_start(value: Any) -> int | None:
    """The first answer's ``answer_start``, in a record of lists or in a list of records."""
    if isinstance(value, Mapping):
        starts: Any = value.get("answer_start")
        starts = starts.tolist() if hasattr(starts, "tolist") else starts
        return next(iter(starts), None) if isinstance(starts, list | tuple) else starts
    if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        return _first_start(value[0])
    return None
