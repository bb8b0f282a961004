"""How answers to questions are measured: exact match and F1 of words, as SQuAD's own scripts compute them.

Rajpurkar et al., 2016, arXiv:1606.05250, section 6.1; with questions that have no answer, 2018, arXiv:1806.03822, section 5.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import DataError
from headway.tasks.columns import TableForm
from headway.tasks.metrics import ratio
from headway.tasks.task import Details, ModelFacts

ANSWERS = TableForm(roles={"answers": ("answers", "answer", "gold_answers", "answer_text", "references")})
"""A column of the right answers: a list of texts, or of records with ``text``, or one record with a list of them. An empty list
is a question without an answer."""

ARTICLES = re.compile(r"\b(a|an|the)\b")
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
LOWEST = -1.0
"""No difference of two scores is less."""


def normalised(text: str) -> str:
    """The words that are compared: small letters, without ASCII punctuation and English articles, one space between them."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(WITHOUT_PUNCTUATION)).split())


def word_f1(answer: Sequence[str], right: Sequence[str]) -> float:
    """The harmonic mean of how many words of the answer are right and how many right ones it has; 0 without a common word."""
    common = sum((Counter(answer) & Counter(right)).values())
    return 2 * common / (len(answer) + len(right)) if common else 0.0


def exact_match_and_f1(answer: str, right: Iterable[str]) -> tuple[float, float]:
    """The best agreement with one of the right answers, as the script of SQuAD 1.1 has it: (1 or 0, 0 … 1)."""
    words = normalised(answer)
    pairs = [(float(words == gold), word_f1(words.split(), gold.split())) for gold in map(normalised, right)]
    exact, f1 = zip(*pairs, strict=True) if pairs else ((0.0,), (0.0,))
    return max(exact), max(f1)


def exact_match_and_f1_or_none(answer: str, right: Iterable[str]) -> tuple[float, float]:
    """The same as the script of SQuAD 2.0 has it, for which right answers without a word count as there being none.

    Where there is none, an answer is right if it has no word either.
    """
    golds = [gold for gold in right if normalised(gold)] or [""]
    exact, f1 = exact_match_and_f1(answer, golds)
    return (exact, f1) if golds[0] else (exact, exact)


def best_threshold(
    scores_N: np.ndarray, no_answer_N: np.ndarray, *, has_answer_N: np.ndarray, is_empty_N: np.ndarray, lowest: float = 0.0
) -> tuple[float, float]:
    """The best average of scores if answers with a larger ``no_answer`` than a threshold become none; and that threshold.

    As the script of SQuAD 2.0 finds it: starting with no answer to any question, at ``lowest``, they come in one by one, the
    surest first. ``is_empty`` are answers that are none anyway.
    """
    if not len(scores_N):
        return 0.0, lowest
    order_N = np.argsort(no_answer_N, kind="stable")
    changes_N = np.where(has_answer_N, scores_N, np.where(is_empty_N, 0, -1))[order_N]
    totals_N = np.cumsum(np.append((~has_answer_N).sum(), changes_N))
    best = int(totals_N.argmax())
    return float(totals_N[best] / len(scores_N)), lowest if best == 0 else float(no_answer_N[order_N[best - 1]])


def gold_answers(value: Any) -> list[str]:
    """The right answers in a cell; none for a question that has none."""
    if isinstance(value, Mapping) and "text" in value:
        return gold_answers(value["text"])
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, Iterable) and not isinstance(value, Mapping | bytes):
        texts = [one["text"] if isinstance(one, Mapping) and "text" in one else one for one in value]
        if all(isinstance(text, str) for text in texts):
            return texts
    raise DataError(
        f"The answers are {value!r}, but right answers are texts: a list of them, a record with the list as its text, or one. "
        "Correct the row, or name another column."
    )


def is_withheld(cells: Mapping[str, Any], facts: ModelFacts) -> bool:
    """Whether a row does not say what its right answers are."""
    return cells["answers"] is None


@dataclass(frozen=True)
class SquadScorer:
    """Exact match and F1; with the best threshold for giving no answer where some questions have none.

    Answers are those with ``no_answer_score``. The table has one of these rows for each question: whether any question of the
    data has no answer, whether this one has one, exact match and F1 of the answer, the same of the best answer that is not
    empty, whether there is no such answer, and by how much the score of none is larger than its.
    """

    def observe(self, answer: Any, reference: Mapping[str, Any]) -> tuple[float, ...]:
        """A row of the table without its beginning, and with exact match and F1 by both scripts."""
        (found,) = answer
        right = gold_answers(reference["answers"])
        return (
            float(bool(right)),
            *exact_match_and_f1(found["answer"], right),
            *exact_match_and_f1_or_none(found["answer"], right),
            *exact_match_and_f1_or_none(found["best_answer"], right),
            float(not found["best_answer"]),
            found["no_answer_score"] - found["best_score"],
        )

    def gather(self, observations: Sequence[Any]) -> np.ndarray:
        """(questions, 8)."""
        seen_NK = np.array(observations, dtype=np.float64).reshape(-1, 9)
        some_have_none = bool((seen_NK[:, 0] == 0).any())
        unused = [1, 2] if some_have_none else [3, 4]
        return np.insert(np.delete(seen_NK, unused, axis=1), 0, some_have_none, axis=1)

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """F1 and exact match; of questions with and without an answer, and with the best threshold, where there are both."""
        _, has_answer_N, exact_N, f1_N, best_exact_N, best_f1_N, is_empty_N, difference_N = table_NK.T
        found = {"f1": mean(f1_N), "exact_match": mean(exact_N)}
        if not table_NK[:, 0].any():
            return found
        has_answer_N, is_empty_N = has_answer_N.astype(bool), is_empty_N.astype(bool)
        found |= {
            "has_answer_f1": mean(f1_N[has_answer_N]),
            "has_answer_exact_match": mean(exact_N[has_answer_N]),
            "no_answer_accuracy": mean(exact_N[~has_answer_N]),
        }
        for name, scores_N in (("f1", best_f1_N), ("exact_match", best_exact_N)):
            found[f"best_{name}"], found[f"best_{name}_threshold"] = best_threshold(
                scores_N, difference_N, has_answer_N=has_answer_N, is_empty_N=is_empty_N, lowest=LOWEST
            )
        return found

    def wrongness(self, answer: Any, reference: Mapping[str, Any]) -> float:
        """What is missing to an F1 of 1, and more the higher the score."""
        (found,) = answer
        _, f1 = exact_match_and_f1_or_none(found["answer"], gold_answers(reference["answers"]))
        return (1 - f1) * (1 + float(found["score"]))

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """Questions that have an answer, and those that have none."""
        rows = []
        for name, wanted in (("with an answer", 1), ("without an answer", 0)):
            chosen_NK = table_NK[table_NK[:, 1] == wanted]
            if len(chosen_NK):
                rows.append((name, len(chosen_NK), mean(chosen_NK[:, 3]), mean(chosen_NK[:, 2])))
        return [Details("By kind of question", ("questions", "number", "F1", "exact match"), tuple(rows))]


def mean(values_N: np.ndarray) -> float:
    """The average; 0 of nothing."""
    return ratio(values_N.sum(), len(values_N))
