"""Which words of a context answer a question: from the scores of where an answer begins and ends to the best answers.

Shapes: C tokens of the context that a window holds, K candidates of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from headway.tasks.question_windows import Passage, Window

Answer: TypeAlias = dict[str, Any]
"""``score``, ``start`` and ``end``, in characters of the context, and ``answer``, the words there."""


@dataclass(frozen=True)
class Candidates:
    """The best spans of one window, best first, and the score of there being no answer in it.

    A span has a first and a last token and a score, (spans,) each.
    """

    first: np.ndarray
    last: np.ndarray
    scores: np.ndarray
    no_answer: float


def candidates(
    starts_S: np.ndarray, ends_S: np.ndarray, window: Window, *, count: int, longest: int, has_no_answer_token: bool
) -> Candidates:
    """The best spans of a window, from the logits of its tokens, in places of its tokens among those of the context.

    Begin and end each have one softmax over the context and the first token, which stands for no answer where
    ``has_no_answer_token``; a span's score is the product of both, so that all spans together have at most 1.
    Chen et al., 2017, arXiv:1704.00051, section 3.2; no answer as Devlin et al., 2019, arXiv:1810.04805, section 4.3.
    """
    begin_C, no_begin = shares(starts_S, window, has_no_answer_token=has_no_answer_token)
    end_C, no_end = shares(ends_S, window, has_no_answer_token=has_no_answer_token)
    first_K, last_K, scores_K = best_spans(begin_C, end_C, count=count, longest=longest)
    return Candidates(first_K + window.start, last_K + window.start, scores_K, float(no_begin * no_end))


def shares(logits_S: np.ndarray, window: Window, *, has_no_answer_token: bool) -> tuple[np.ndarray, np.float32]:
    """The softmax over the window's part of the context, (context tokens,), and that of the token that stands for no answer."""
    context_C = logits_S[window.place : window.place + window.count].astype(np.float32)
    nothing = np.float32(logits_S[0] if has_no_answer_token else -np.inf)
    most = max(context_C.max(initial=-np.inf), nothing)
    if most == -np.inf:  # there is nothing at all
        return np.zeros_like(context_C), np.float32(0)
    context_C, nothing = np.exp(context_C - most), np.exp(nothing - most)
    total = context_C.sum() + nothing
    return context_C / total, nothing / total


def best_spans(begin_C: np.ndarray, end_C: np.ndarray, *, count: int, longest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the ``count`` best spans of at most ``longest`` tokens begin and end, and their scores, each (spans,), best first.

    Of equal ones the first comes first. A begin whose best end does not make it one of the ``count`` best begins has none of the
    best spans, so the ends of only so many begins are looked at.
    """
    size = len(begin_C)
    width = min(longest, size)
    if not size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    rows_R = np.sort(highest(begin_C * sliding_maximum(end_C, width), count))
    last_RW = rows_R[:, None] + np.arange(width)
    scores_RW = np.where(last_RW < size, begin_C[rows_R, None] * end_C[np.minimum(last_RW, size - 1)], -1)
    best_K = highest(scores_RW.ravel(), count)
    best_K = best_K[scores_RW.ravel()[best_K] >= 0]
    return rows_R[best_K // width], last_RW.ravel()[best_K], scores_RW.ravel()[best_K]


def highest(values_N: np.ndarray, count: int) -> np.ndarray:
    """The places of the ``count`` largest values, largest first; of equal ones the first."""
    if count < len(values_N):
        least = np.partition(values_N, len(values_N) - count)[len(values_N) - count]
        above, equal = np.flatnonzero(values_N > least), np.flatnonzero(values_N == least)
        places = np.concatenate([above, equal[: count - len(above)]])
    else:
        places = np.arange(len(values_N))
    return places[np.lexsort((places, -values_N[places]))]


def sliding_maximum(values_C: np.ndarray, width: int) -> np.ndarray:
    """The largest of each value and the ``width`` - 1 behind it, in about log2(width) passes."""
    best_C, covered = values_C, 1
    while covered < width:
        step = min(covered, width - covered)
        best_C = np.concatenate([np.maximum(best_C[:-step], best_C[step:]), best_C[-step:]])
        covered += step
    return best_C


def in_characters(found: Candidates, passage: Passage, window: Window, *, by_words: bool) -> Iterable[tuple[int, int, float]]:
    """Where each span stands in the context, with its score; in whole words, as far as the window holds them, if asked for."""
    first_K, last_K = found.first, found.last
    if by_words:
        first_K = np.maximum(passage.word_first[first_K], window.start)
        last_K = np.minimum(passage.word_last[last_K], window.start + window.count - 1)
    begins, ends = passage.offsets[first_K, 0].tolist(), passage.offsets[last_K, 1].tolist()
    return zip(begins, map(max, begins, ends), found.scores.tolist(), strict=True)


def joined(context: str, spans: Iterable[tuple[int, int, float]]) -> list[Answer]:
    """The answers that spans are, best first. Spans of equal words, but for capitals, are one: their scores are added up."""
    answers: dict[str, Answer] = {}
    for start, end, score in spans:
        words = context[start:end]
        answer = answers.setdefault(words.lower(), {"score": 0.0, "start": start, "end": end, "answer": words})
        answer["score"] += score
    return sorted(answers.values(), key=lambda answer: -answer["score"])


def with_no_answer(answers: Sequence[Answer], score: float, *, threshold: float | None) -> list[Answer]:
    """The answers and the empty one: where its score puts it, or by a threshold before all others or behind the best.

    It is the first if its score is larger than the best one's by more than the threshold.
    """
    nothing = no_answer(score)
    if threshold is None or not answers:
        return sorted([*answers, nothing], key=lambda answer: -answer["score"])
    if score - min(answers[0]["score"], 1.0) > threshold:
        return [nothing, *answers]
    return [answers[0], *sorted([*answers[1:], nothing], key=lambda answer: -answer["score"])]


def no_answer(score: float) -> Answer:
    """The empty answer."""
    return {"score": score, "start": 0, "end": 0, "answer": ""}


def limited(answer: Answer) -> Answer:
    """The answer with a score of at most 1: windows that share its words may add up to more."""
    return {**answer, "score": min(answer["score"], 1.0)}
