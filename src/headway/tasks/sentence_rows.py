"""The forms in which people have data for sentence embeddings, brought into the one that is learnt from.

Pairs with a similarity; texts that belong together, perhaps with others that do not; and inferences, of which a premise belongs
with what it entails and not with what contradicts it. Each row becomes a text, those that it is compared with, and the label:
a similarity, or for the second form 1 for the text that belongs and 0 for each that does not.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from headway.errors import DataError
from headway.tasks.columns import PAIRS
from headway.tasks.labels import is_nothing

Row: TypeAlias = Mapping[str, Any]

SOURCE, OTHERS, LABEL = "source_sentence", "sentences", "label"
SCORES = ("label", "labels", "score", "similarity", "similarity_score", "relatedness_score", "gold", "target")
ANCHORS = ("anchor", "query", "question", "sentence1", "premise", "text1", "text", "sentence", "title", "source_sentence")
POSITIVES = (
    "positive",
    "pos",
    "positives",
    "answer",
    "passage",
    "document",
    "context",
    "text_pair",
    "sentence2",
    "target_sentence",
)
NEGATIVE = ("negative", "neg", "hard_negative")
"""How the names of columns of texts that do not belong begin."""
BELONGING = (*PAIRS, ("question", "answer"), ("query", "document"), ("question", "context"), ("query", "answer"))
INFERENCES = (("premise", "hypothesis"), ("sentence1", "sentence2"))
ENTAILS, CONTRADICTS = ("entailment", "entails"), ("contradiction", "contradicts")
NUMBERED = {0: "entailment", 1: "neutral", 2: "contradiction"}
"""What numbers mean beside a premise and a hypothesis, in SNLI, MultiNLI and most that follow them."""


def arranged(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows as ``source_sentence``, ``sentences`` and ``label``. Columns that fit no form are a ``DataError``."""
    names = list(rows[0])
    if {SOURCE, OTHERS} <= set(names):
        return rows
    score = next((name for name in SCORES if name in names), None)
    negatives = [name for name in names if name.lower().startswith(NEGATIVE)]
    pair = next((pair for pair in ((*INFERENCES, *PAIRS)) if set(pair) <= set(names)), None)
    if score is not None and not negatives and pair in INFERENCES and _are_verdicts(rows, score, is_nli=pair == INFERENCES[0]):
        return list(_of_inferences(rows, pair, score))
    together = _anchor_and_positive(names)
    if score is not None and not negatives and (pair or together):
        first, second = pair or together or ("", "")
        return [{SOURCE: row.get(first), OTHERS: _one(row.get(second)), LABEL: row.get(score)} for row in rows]
    if together is None:
        raise DataError(_no_form(names))
    return [_belonging(row, *together, negatives) for row in rows]


def _anchor_and_positive(names: Sequence[str]) -> tuple[str, str] | None:
    for pair in BELONGING:
        if set(pair) <= set(names):
            return pair[0], pair[1]
    first = next((name for name in ANCHORS if name in names), None)
    second = next((name for name in POSITIVES if name in names and name != first), None)
    return None if first is None or second is None else (first, second)


def _belonging(row: Row, anchor: str, positive: str, negatives: Sequence[str]) -> Row:
    """A text with the one that belongs, then those that do not; cells may be lists, of which the first positive is taken."""
    right = _one(row.get(positive))[:1]
    wrong = [text for name in negatives for text in _one(row.get(name)) if not is_nothing(text)]
    return {SOURCE: row.get(anchor), OTHERS: [*right, *wrong], LABEL: [1.0] * len(right) + [0.0] * len(wrong)}


def _one(cell: Any) -> list[Any]:
    """The texts of a cell."""
    return list(cell) if isinstance(cell, list | tuple) else [cell]


def _are_verdicts(rows: Sequence[Row], column: str, *, is_nli: bool) -> bool:
    """Whether a column says what follows from what: in words, or beside a premise in numbers."""
    told = [row.get(column) for row in rows if not is_nothing(row.get(column))]
    if any(isinstance(one, str) and one.lower() in (*ENTAILS, *CONTRADICTS) for one in told):
        return True
    return is_nli and bool(told) and all(str(one) in ("-1", "0", "1", "2") for one in told)


def _of_inferences(rows: Sequence[Row], pair: Sequence[str], column: str) -> Iterator[Row]:
    """Each premise with what it entails, and with what contradicts it. Gao et al., 2021, arXiv:2104.08821, section 4."""
    found: dict[Any, tuple[list[Any], list[Any]]] = {}
    for row in rows:
        right, wrong = found.setdefault(row.get(pair[0]), ([], []))
        verdict = _verdict(row.get(column))
        if verdict in ENTAILS:
            right.append(row.get(pair[1]))
        elif verdict in CONTRADICTS:
            wrong.append(row.get(pair[1]))
    if not any(right for right, _ in found.values()):
        raise DataError(
            f"No row's {column!r} is 'entailment', so there are no texts that belong together to learn from. Give rows with "
            "entailment, and better with contradiction too."
        )
    for premise, (right, wrong) in found.items():
        for place, positive in enumerate(right):
            negatives = wrong[place : place + 1] or wrong[:1]
            yield {SOURCE: premise, OTHERS: [positive, *negatives], LABEL: [1.0] + [0.0] * len(negatives)}


def _verdict(cell: Any) -> str:
    text = str(cell).lower()
    return NUMBERED.get(int(text), "") if text in ("0", "1", "2") else text


def _no_form(names: Sequence[str]) -> str:
    return (
        f"The columns {', '.join(map(str, names)) or '(none)'} are none that sentence embeddings are learnt from. Give pairs "
        "with a similarity (sentence1, sentence2, label), texts that belong together (anchor, positive, and if there are any "
        "negative), or inferences (premise, hypothesis, label)."
    )
