"""How labels of words are measured: by the entities that they mark, as conlleval and seqeval do, and word by word.

Shapes: N inputs, K kinds of entities, C counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeAlias

import numpy as np

from headway.errors import DataError
from headway.tasks import metrics
from headway.tasks.entities import OUTSIDE, Scheme, Span, begun, is_iob1, lenient_spans, strict_spans, tag
from headway.tasks.labels import is_nothing
from headway.tasks.references import are_generic
from headway.tasks.task import Details

Counts: TypeAlias = tuple[int, int, int]
"""Entities that are in the answer and in the reference, in the answer, in the reference."""
Observation: TypeAlias = tuple[Counts, dict[str, tuple[Counts, Counts]]]
"""Words that are right, words, words that were not read; and for each kind the entities, leniently and strictly."""

LEFT_OUT = -100
"""What many data sets give words that do not count."""
BY_KIND = ("type", "precision", "recall", "F1", "strict F1", "references", "answers")


@dataclass(frozen=True)
class EntityScorer:
    """A label for each word against the labels of the reference, its cell ``labels``: names, or numbers in the model's order.

    Entities are found leniently, as the CoNLL tasks do, and strictly, as the scheme has them; both count where kind and both
    ends are equal. Words that the model did not read count as ``O``.
    """

    names: tuple[str, ...]
    scheme: Scheme
    kinds: dict[str, int] = field(default_factory=dict)
    """The kinds of entities that were seen, with their places among the counts."""
    begin_references: bool = False
    """Whether references are written in IOB1 and the model's labels are not, so that each entity is first given its B."""

    def observe(self, answer: Any, reference: Mapping[str, Any]) -> Observation:
        """What is counted of one text."""
        pairs = self._pairs(answer, reference)
        right = sum(given["entity"] == label for given, label in pairs)
        unread = sum(given["score"] is None for given, _ in pairs)
        both = [[given["entity"] for given, _ in pairs], [label for _, label in pairs]]
        lenient, strict = (_counted(*(self._spans(labels, strict=strict) for labels in both)) for strict in (False, True))
        kinds = {kind: (lenient.get(kind, (0, 0, 0)), strict.get(kind, (0, 0, 0))) for kind in {**lenient, **strict}}
        for kind in kinds:
            self.kinds.setdefault(kind, len(self.kinds))
        return (right, len(pairs), unread), kinds

    def gather(self, observations: Sequence[Any]) -> np.ndarray:
        """(texts, 3 + 6 times the kinds)."""
        for _, kinds in observations:
            for kind in kinds:
                self.kinds.setdefault(kind, len(self.kinds))
        table_NC = np.zeros((len(observations), 3 + 6 * len(self.kinds)), dtype=np.int64)
        for row, (words, kinds) in enumerate(observations):
            table_NC[row, :3] = words
            for kind, counts in kinds.items():
                first = 3 + 6 * self.kinds[kind]
                table_NC[row, first : first + 6] = [*counts[0], *counts[1]]
        return table_NC

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """Precision, recall and F1 of all entities, averages over their kinds, the same strictly, and the share of right words.

        Labels without ``O``, such as parts of speech, mark no entities: there the share of right words comes first.
        """
        words, counts_K23 = self._sums(table_NK)
        accuracy = {"accuracy": metrics.ratio(words[0], words[1])}
        found = {**_micro(counts_K23[:, 0]), **accuracy, **_macro(counts_K23[:, 0])}
        if self.scheme != "IO":
            strict = _micro(counts_K23[:, 1]) | _macro(counts_K23[:, 1])
            found |= {f"strict_{name}": value for name, value in strict.items()}
        return found if OUTSIDE in self.names else accuracy | found

    def wrongness(self, answer: Any, reference: Mapping[str, Any]) -> float:
        """The sum of the scores of all words' wrong labels; a word that was not read counts 1."""
        wrong = [given["score"] for given, label in self._pairs(answer, reference) if given["entity"] != label]
        return float(sum(1.0 if score is None else score for score in wrong))

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """Each kind of entity with its scores, and how many words were not read, if any."""
        words, counts_K23 = self._sums(table_NK)
        found, strict = _each(counts_K23[:, 0]), _each(counts_K23[:, 1])
        measures = (found["precision"], found["recall"], found["f1"], strict["f1"], counts_K23[:, 0, 2], counts_K23[:, 0, 1])
        rows = sorted(zip(self.kinds, *(measure.tolist() for measure in measures), strict=False))
        tables = [Details("By type of entity", BY_KIND, tuple(rows))]
        if words[2]:
            tables.append(Details("Words beyond the model's limit", ("words", "not read"), ((int(words[1]), int(words[2])),)))
        return tables

    def _spans(self, labels: Iterable[str], *, strict: bool) -> set[Span]:
        tags = [tag(label, "IO" if self.scheme == "IO" else "BIOES") for label in labels]
        return set(strict_spans(tags, self.scheme) if strict else lenient_spans(tags))

    def _sums(self, table_NK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the words, (3,), and of each kind's entities, (kinds, lenient or strict, 3)."""
        sums = table_NK.sum(0)
        return sums[:3], sums[3:].reshape(-1, 2, 3)

    def _pairs(self, answer: Any, reference: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
        """Each word's answer with its label in the reference, without words that do not count."""
        labels = labels_of(reference["labels"])
        if len(labels) != len(answer):
            raise DataError(
                f"There are {len(labels)} labels for {len(answer)} words, but each word has one. Give the words as a list as "
                "long as that of the labels, or correct the row."
            )
        names = self.named(labels)
        counted = [name for name in names if name is not None]
        known = iter(begun(counted) if self.begin_references else counted)
        return [(given, next(known)) for given, name in zip(answer, names, strict=True) if name is not None]

    def reading(self, cells: Iterable[Any]) -> Self:
        """The measure for references as these cells are written: in the model's scheme, or in IOB1 where that is BIO."""
        if self.scheme != "BIO":
            return self
        rows = (self.named(labels_of(cell)) for cell in cells if not is_nothing(cell))
        return replace(self, begin_references=is_iob1([name for name in row if name is not None] for row in rows))

    def named(self, labels: Iterable[Any]) -> list[str | None]:
        """Labels of a reference by their names; None for words that do not count."""
        return [self._name(label) for label in labels]

    def _name(self, value: Any) -> str | None:
        """A label of the reference by its name; None for a word that does not count."""
        plain = value.item() if hasattr(value, "item") else value
        if is_nothing(plain) or plain == LEFT_OUT:
            return None
        if isinstance(plain, str) and (plain in self.names or not are_generic(self.names)):
            return plain
        if isinstance(plain, int) and not isinstance(plain, bool) and 0 <= plain < len(self.names):
            return self.names[plain]
        raise DataError(
            f"The label {plain!r} is none of the model's: {', '.join(self.names)}. Say which of them each of the data's labels "
            f"is: --labels {plain}={self.names[0]} …, or labels={{…}} in Python."
        )


def labels_of(cell: Any) -> Sequence[Any]:
    """The labels of a row's words."""
    labels = cell.tolist() if hasattr(cell, "tolist") else cell
    if not isinstance(labels, list | tuple):
        raise DataError(
            f"The labels are {labels!r}, but every word has a label of its own. Give a list of labels, or name another column."
        )
    return labels


def _counted(answer: set[Span], reference: set[Span]) -> dict[str, Counts]:
    kinds = {span.kind for span in answer | reference}
    groups = {"both": answer & reference, "answer": answer, "reference": reference}
    return {
        kind: tuple(sum(span.kind == kind for span in group) for group in groups.values())  # type: ignore[misc]
        for kind in kinds
    }


def _micro(counts_K3: np.ndarray) -> dict[str, float]:
    return {name: float(values.item()) for name, values in _each(counts_K3.sum(0, keepdims=True)).items()}


def _macro(counts_K3: np.ndarray) -> dict[str, float]:
    """Averages over the kinds that occur, each counting the same."""
    found = _each(counts_K3[counts_K3.any(-1)])
    return {f"macro_{name}": metrics.ratio(float(values.sum()), len(values)) for name, values in found.items()}


def _each(counts_K3: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of each row of counts, (kinds,)."""
    both_K, answers_K, references_K = counts_K3.T
    return {
        "f1": metrics.shares(2 * both_K, answers_K + references_K),
        "precision": metrics.shares(both_K, answers_K),
        "recall": metrics.shares(both_K, references_K),
    }
