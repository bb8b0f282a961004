"""How classifications are measured: one label a text, several, or a number. Whatever task gives labels with scores uses these.

Shapes: N texts, L labels.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from headway.tasks import metrics
from headway.tasks.correlation import pearson, spearman
from headway.tasks.references import is_regression, label_place, label_places, number
from headway.tasks.task import Details, ModelFacts, Scorer

ReadScores: TypeAlias = Callable[[Any], Mapping[str, float]]
"""From an answer to the score of each label by its name; a label that is not there counts as the least likely."""

THRESHOLD = 0.5
WIDEST = 12
"""Labels that a confusion matrix shows side by side; of more, the commonest confusions are listed instead."""
COMMONEST = 20


def scores_by_label(answer: Any) -> dict[str, float]:
    """The scores of an answer that is a list of labels with scores, as text classification gives it."""
    return {one["label"]: one["score"] for one in answer}


def scorer_for(facts: ModelFacts, *, are_probabilities: bool = True) -> Scorer:
    """The measure that fits what the model was trained for: a number, labels that exclude nothing, or one label a text."""
    labels = tuple(facts.config.id2label.values())
    if is_regression(facts):
        return NumberScorer()
    if facts.config.problem_type == "multi_label_classification":
        return LabelsScorer(labels, threshold=THRESHOLD if are_probabilities else 0.0)
    return LabelScorer(labels, are_probabilities=are_probabilities)


@dataclass(frozen=True)
class LabelScorer:
    """One label a text: the one with the highest score against the reference, its cell ``label``.

    An observation is the reference's place among the labels, the answer's, and the answer's score.
    """

    labels: tuple[str, ...]
    positive: int = 1
    """The place of the label whose F1 is the F1, where there are two."""
    are_probabilities: bool = True
    read: ReadScores = scores_by_label

    def observe(self, answer: Any, reference: Mapping[str, Any]) -> tuple[int, int, float]:
        """The places of the right label and of the best, and the score of the best."""
        scores = self.read(answer)
        best = max(self.labels, key=lambda label: scores.get(label, -np.inf))
        return label_place(reference["label"], self.labels), self.labels.index(best), float(scores.get(best, 0.0))

    def gather(self, observations: Sequence[Any]) -> np.ndarray:
        """(texts, 3)."""
        return np.array(observations, dtype=np.float64).reshape(-1, 3)

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """Accuracy, F1 (of the positive label where there are two), its averages, Matthews correlation and calibration error."""
        counts_LL = self._counts(table_NK)
        f1 = {"f1": float(metrics.label_scores(counts_LL)[2][self.positive])} if len(self.labels) == 2 else {}
        found = {"accuracy": metrics.accuracy(counts_LL), **f1}
        found |= {
            "macro_f1": metrics.macro_f1(counts_LL),
            "micro_f1": metrics.accuracy(counts_LL),  # of one label a text, each wrong answer is one too many and one too few
            "weighted_f1": metrics.weighted_f1(counts_LL),
            "matthews_correlation": metrics.matthews_correlation(counts_LL),
        }
        if self.are_probabilities:
            right_N = table_NK[:, 0] == table_NK[:, 1]
            found["calibration_error"] = metrics.calibration_error(table_NK[:, 2], right_N)
        return found

    def wrongness(self, answer: Any, reference: Mapping[str, Any]) -> float:
        """0 for the right label; else 1 and by how much the wrong one was preferred."""
        scores = self.read(answer)
        right, best, score = self.observe(answer, reference)
        return 0.0 if right == best else 1.0 + score - float(scores.get(self.labels[right], 0.0))

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """Each label's scores, and which label was taken for which."""
        counts_LL = self._counts(table_NK)
        places = metrics.occurring(counts_LL)
        names = [self.labels[place] for place in places]
        return [by_label(names, counts_LL[np.ix_(places, places)]), *confusions(names, counts_LL[np.ix_(places, places)])]

    def _counts(self, table_NK: np.ndarray) -> np.ndarray:
        return metrics.confusion_matrix(table_NK[:, 0], table_NK[:, 1], labels=len(self.labels))


@dataclass(frozen=True)
class LabelsScorer:
    """Any number of labels a text: those whose score is above a threshold against the list in the reference's cell ``label``.

    An observation has 0, or 1 for a label of the reference, or 2 for one of the answer, or 3 for one of both, for each label.
    """

    labels: tuple[str, ...]
    threshold: float = THRESHOLD
    read: ReadScores = scores_by_label

    def observe(self, answer: Any, reference: Mapping[str, Any]) -> bytes:
        """For each label whether it is in the reference (1), in the answer (2), in both (3) or in neither."""
        scores, right = self.read(answer), label_places(reference["label"], self.labels)
        found = (2 * (scores.get(label, -np.inf) > self.threshold) for label in self.labels)
        return bytes(bit + (place in right) for place, bit in enumerate(found))

    def gather(self, observations: Sequence[Any]) -> np.ndarray:
        """(texts, labels)."""
        return np.frombuffer(b"".join(observations), dtype=np.uint8).reshape(len(observations), len(self.labels))

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """F1 over all labels of all texts, averages over labels, and the share of texts with all labels right."""
        counts_L22 = self._counts(table_NK)
        right, wrong, missed = counts_L22[:, 1, 1], counts_L22[:, 0, 1], counts_L22[:, 1, 0]
        f1_L = metrics.shares(2 * right, 2 * right + wrong + missed)
        support_L = right + missed
        return {
            "micro_f1": metrics.ratio(2 * right.sum(), (2 * right + wrong + missed).sum()),
            "macro_f1": float(f1_L.mean()) if len(f1_L) else 0.0,
            "weighted_f1": metrics.ratio(f1_L @ support_L, support_L.sum()),
            "subset_accuracy": metrics.ratio(((table_NK == 0) | (table_NK == 3)).all(1).sum(), len(table_NK)),
        }

    def wrongness(self, answer: Any, reference: Mapping[str, Any]) -> float:
        """By how much the scores of the labels that are wrong lie on the wrong side of the threshold, and 1 for each of them."""
        scores = self.read(answer)
        seen = self.observe(answer, reference)
        wrong = [label for label, bits in zip(self.labels, seen, strict=True) if bits in (1, 2)]
        return float(sum(1.0 + abs(scores.get(label, self.threshold) - self.threshold) for label in wrong))

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """Each label's scores."""
        rows = []
        for label, counts_22 in zip(self.labels, self._counts(table_NK), strict=True):
            precision_2, recall_2, f1_2 = metrics.label_scores(counts_22)
            rows.append((label, precision_2[1], recall_2[1], f1_2[1], int(counts_22[1].sum()), int(counts_22[:, 1].sum())))
        return [Details("By label", BY_LABEL, tuple(_plain(row) for row in rows))]

    def _counts(self, table_NK: np.ndarray) -> np.ndarray:
        """For each label how often it was no, or a, reference, in rows, and no, or an, answer, (labels, 2, 2)."""
        places_NL = table_NK + 4 * np.arange(len(self.labels))
        counts_L4 = np.bincount(places_NL.ravel(), minlength=4 * len(self.labels))
        return counts_L4.reshape(-1, 2, 2).transpose(0, 2, 1)


@dataclass(frozen=True)
class NumberScorer:
    """A number a text: the score of the only label against the number in the reference's cell ``label``."""

    read: Callable[[Any], float] = lambda answer: answer[0]["score"]

    def observe(self, answer: Any, reference: Mapping[str, Any]) -> tuple[float, float]:
        """The reference and the answer."""
        return number(reference["label"]), float(self.read(answer))

    def gather(self, observations: Sequence[Any]) -> np.ndarray:
        """(texts, 2)."""
        return np.array(observations, dtype=np.float64).reshape(-1, 2)

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """Both correlations, and the average square of the difference."""
        references_N, answers_N = table_NK[:, 0], table_NK[:, 1]
        difference_N = references_N - answers_N
        return {
            "pearson": pearson(references_N, answers_N),
            "spearman": spearman(references_N, answers_N),
            "mean_squared_error": metrics.ratio(difference_N @ difference_N, len(difference_N)),
        }

    def wrongness(self, answer: Any, reference: Mapping[str, Any]) -> float:
        """The difference."""
        right, given = self.observe(answer, reference)
        return abs(right - given)

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """How references and answers are spread."""
        rows = [
            (name, *(float(value) for value in (column_N.mean(), column_N.std(), column_N.min(), column_N.max())))
            for name, column_N in zip(("references", "answers"), table_NK.T, strict=True)
            if len(column_N)
        ]
        return [Details("Numbers", ("", "mean", "deviation", "least", "most"), tuple(rows))]


BY_LABEL = ("label", "precision", "recall", "F1", "references", "answers")


def by_label(names: Sequence[str], counts_LL: np.ndarray) -> Details:
    """Precision, recall and F1 of each label, and how often it is a reference and an answer."""
    columns = (*metrics.label_scores(counts_LL), counts_LL.sum(1), counts_LL.sum(0))
    return Details("By label", BY_LABEL, tuple(_plain(row) for row in zip(names, *columns, strict=True)))


def confusions(names: Sequence[str], counts_LL: np.ndarray) -> list[Details]:
    """Which label, in rows, was taken for which: all of them, or of many labels the commonest mistakes."""
    if len(names) <= WIDEST:
        rows = tuple(_plain((name, *row)) for name, row in zip(names, counts_LL, strict=True))
        return [Details("References in rows, answers in columns", ("", *names), rows)]
    wrong_LL = counts_LL * (1 - np.eye(len(names), dtype=counts_LL.dtype))
    order = np.argsort(-wrong_LL, axis=None, kind="stable")[:COMMONEST]
    places = [divmod(int(place), len(names)) for place in order if wrong_LL.flat[place]]
    found = tuple((names[right], names[given], int(wrong_LL[right, given])) for right, given in places)
    return [Details("Commonest mistakes", ("reference", "answer", "times"), found)] if found else []


def _plain(row: Iterable[Any]) -> tuple[Any, ...]:
    """NumPy's numbers as Python's."""
    return tuple(value.item() if isinstance(value, np.generic) else value for value in row)
