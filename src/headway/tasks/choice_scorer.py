"""How choices are measured: the one taken against the right one, whichever texts they are.

Shapes: N questions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import DataError
from headway.tasks import metrics
from headway.tasks.labels import label_text
from headway.tasks.references import WITHHELD
from headway.tasks.task import Details, ModelFacts


@dataclass(frozen=True)
class ChoiceScorer:
    """The best choice against the reference's cell ``label``: the right one's place from 0 on, its letter, name or text.

    An observation is the right place, the place taken, and the score of that.
    """

    def observe(self, answer: Any, reference: Mapping[str, Any]) -> tuple[int, int, float]:
        """The places of the right choice and of the best, and the score of the best."""
        return right_place(answer, reference["label"]), answer[0]["index"], answer[0]["score"]

    def gather(self, observations: Sequence[Any]) -> np.ndarray:
        """(questions, 3)."""
        return np.array(observations, dtype=np.float64).reshape(-1, 3)

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """The share of right choices, and how far scores are from the share that is right."""
        right_N = table_NK[:, 0] == table_NK[:, 1]
        return {
            "accuracy": metrics.ratio(right_N.sum(), len(right_N)),
            "calibration_error": metrics.calibration_error(table_NK[:, 2], right_N),
        }

    def wrongness(self, answer: Any, reference: Mapping[str, Any]) -> float:
        """0 for the right choice; else 1 and by how much the wrong one was preferred."""
        right = right_place(answer, reference["label"])
        scores = {one["index"]: float(one["score"]) for one in answer}
        best = int(answer[0]["index"])
        return 0.0 if best == right else 1.0 + scores[best] - scores[right]

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """How often each place is right, is taken, and both."""
        places = range(int(table_NK[:, :2].max(initial=-1)) + 1)
        right_N, taken_N = table_NK[:, 0], table_NK[:, 1]
        rows = [
            (
                place,
                *(int(hit_N.sum()) for hit_N in (right_N == place, taken_N == place, (right_N == place) & (taken_N == place))),
            )
            for place in places
        ]
        return [Details("By place", ("choice", "right", "taken", "both"), tuple(rows))]


def is_withheld(cells: Mapping[str, Any], facts: ModelFacts) -> bool:
    """Whether a row does not tell its choice, as in test sets: it is empty, or -1."""
    return label_text(cells["label"]) in WITHHELD


def right_place(answer: Sequence[Mapping[str, Any]], value: Any) -> int:
    """The place of the right choice: by its name where choices have names, by its text, by its number or by its letter."""
    label = label_text(value)
    for key in ("name", "label"):
        found = [one["index"] for one in answer if one.get(key) == label]
        if len(found) == 1:
            return int(found[0])
    if label.isdecimal() and label.isascii() and int(label[:9]) < len(answer) and "name" not in answer[0]:
        return int(label)
    if len(label) == 1 and label.isascii() and label.isalpha() and ord(label.upper()) - ord("A") < len(answer):
        return ord(label.upper()) - ord("A")
    raise DataError(
        f"The label {value!r} is none of the {len(answer)} choices: neither a number from 0 to {len(answer) - 1}, nor a letter, "
        "nor one of the texts. Correct the row, or name another column."
    )
