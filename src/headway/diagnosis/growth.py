"""Whether more data would help: scores of short runs on parts of the data."""

import itertools
from collections.abc import Sequence

from headway.diagnosis.findings import Finding

CHECK = "learning curve"
GAIN = 0.01


def check_growth(points: Sequence[tuple[int, float]], *, metric: str, spread: float, reached: float | None = None) -> Finding:
    """Rows and scores of runs on more and more data, of which more is better; ``spread`` is what a score varies by chance.

    ``reached`` is the run's own score: runs that are too short to come near it say nothing.
    The gain of each doubling is taken to shrink as it did so far (Figueroa et al., 2012, doi:10.1186/1472-6947-12-8).
    """
    if len(points) < 3:
        return Finding(check=CHECK, level="unknown", said="too few runs were made; allow more minutes")
    scores = [score for _, score in points]
    gains = [after - before for before, after in itertools.pairwise(scores)]
    evidence = tuple(f"{rows:,} rows: {metric} {score:.4f}" for rows, score in points)
    short = max(3 * GAIN, 2 * spread)
    if reached is not None and scores[-1] < reached - short:
        return Finding(
            check=CHECK,
            level="unknown",
            said=f"the short runs reach {abs(scores[-1]):.4f} {metric} and the run itself {abs(reached):.4f}: they are too short",
            evidence=evidence,
            do="allow more minutes, or steps",
        )
    if scores[-1] - scores[0] <= spread and not 0.9 <= scores[-1] <= 1:
        return Finding(
            check=CHECK,
            level="unknown",
            said="scores do not rise with the data at all: the short runs learnt too little, or there is nothing to learn",
            evidence=evidence,
            do="allow more minutes, or steps; see the learning rate and the labels",
        )
    shrinks = min(1.0, max(0.0, gains[-1] / gains[-2])) if gains[-2] > 0 else 1.0
    room = 1 - scores[-1] if 0 <= scores[-1] <= 1 else float("inf")
    expected = min(room, max(0.0, gains[-1]) * shrinks)
    is_growing = gains[-1] > max(GAIN, spread) or (scores[-1] - scores[0] > max(3 * GAIN, 2 * spread) and gains[-1] > GAIN / 2)
    if is_growing and room > GAIN / 2:
        return Finding(
            check=CHECK,
            level="hint",
            said=f"more data would help: twice as many rows may bring about {expected:+.3f} {metric}",
            evidence=(*evidence, f"by chance scores vary by about {spread:.3f}"),
            sure="medium" if gains[-1] > 2 * spread else "low",
            do=f"label more rows, {points[-1][0]:,} more for a start; the rows that the model is least sure of first",
        )
    return Finding(
        check=CHECK,
        level="fine",
        said="more data of this kind would bring little",
        evidence=(*evidence, f"by chance scores vary by about {spread:.3f}"),
        sure="medium",
    )
