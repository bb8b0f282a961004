"""Labels that are probably wrong, by confident learning (Northcutt et al., 2021, arXiv:1911.00068, section 3).

Shapes: N rows, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headway.diagnosis.findings import Finding, Level

CHECK = "labels"
MANY, SOME = 0.03, 0.01
SKILL, SURENESS = 0.5, 0.2
"""How far a model has to be between guessing and always right, and between even chances and certainty, to judge labels."""
LEAST = 20
"""Rows from which on thresholds of classes mean anything."""


@dataclass(frozen=True)
class Suspect:
    """A row whose label is probably wrong: its place, the label that is likelier, and by how much."""

    row: int
    label: int
    likelier: int
    margin: float


def suspects(chances_NC: np.ndarray, labels_N: np.ndarray) -> list[Suspect]:
    """Rows that are confidently of another class than their label, the surest first. Chances have to be held-out ones.

    A class counts as confident where its chance is at least the mean chance that rows with that label have of it; rows whose own
    label is the likeliest are left alone.
    """
    classes = chances_NC.shape[1]
    held = [chances_NC[labels_N == place, place] for place in range(classes)]
    thresholds_C = np.array([chances.mean() if len(chances) else np.inf for chances in held])
    confident_NC = np.where(chances_NC >= thresholds_C, chances_NC, -1.0)
    found_N = confident_NC.argmax(1)
    rows = np.arange(len(labels_N))
    is_suspect_N = (confident_NC.max(1) > 0) & (found_N != labels_N) & (chances_NC.argmax(1) != labels_N)
    margins_N = chances_NC[rows, found_N] - chances_NC[rows, labels_N]
    found = [Suspect(int(row), int(labels_N[row]), int(found_N[row]), float(margins_N[row])) for row in rows[is_suspect_N]]
    return sorted(found, key=lambda suspect: -suspect.margin)


def check_labels(
    chances_NC: np.ndarray, labels_N: np.ndarray, *, names: Sequence[str], texts: Sequence[str], numbers: Sequence[int], data: str
) -> Finding:
    """The share of labels that are probably wrong, with their rows. ``numbers`` are those that rows have in the data."""
    if len(labels_N) < LEAST:
        return Finding(check=CHECK, level="unknown", said=f"{len(labels_N)} rows of {data} are too few to judge labels")
    found = suspects(chances_NC, labels_N)
    right, commonest = float((chances_NC.argmax(1) == labels_N).mean()), float(np.bincount(labels_N).max() / len(labels_N))
    share = len(found) / len(labels_N)
    evidence = (
        f"of {len(labels_N):,} rows of {data}, {len(found):,} ({share:.1%}) are confidently another class",
        f"the model that says so had not seen the rows, and is right about {right:.1%} (the commonest label: {commonest:.1%})",
    )
    even = 1 / chances_NC.shape[1]
    is_sure = float(chances_NC.max(1).mean()) - even >= SURENESS * (1 - even)
    if right - commonest < SKILL * (1 - commonest) or not is_sure:
        return Finding(
            check=CHECK, level="unknown", said="the model that looked at the labels knows too little to judge them",
            evidence=evidence, do="see the other findings first; short trainings learn more in more minutes",
        )  # fmt: skip
    level: Level = "problem" if share >= MANY else "hint" if share >= SOME else "fine"
    return Finding(
        check=CHECK,
        level=level,
        said=f"{len(found):,} labels of {data} look wrong" if found else f"no label of {data} looks wrong",
        evidence=evidence,
        sure="high" if right > 0.85 else "medium",
        do="" if level == "fine" else "look at these rows and correct or remove those that are wrong; label_smoothing_factor=0.1",
        rows=tuple(
            {
                "row": numbers[one.row],
                "label": names[one.label],
                "likelier": names[one.likelier],
                "by": one.margin,
                "text": texts[one.row],
            }
            for one in found
        ),
    )
