"""Rows that stand twice: in training and held-out data, or in the training data with different labels."""

from collections.abc import Hashable, Sequence

from headway.diagnosis.findings import Finding

LEAKS, CONFLICTS = "leaks", "contradictions"
MANY = 0.01


def plain(text: str) -> str:
    """A text without what does not make it another: case and spaces."""
    return " ".join(text.casefold().split())


def check_leaks(train: Sequence[str], valid: Sequence[str]) -> Finding:
    """Held-out texts that stand in the training data too."""
    places: dict[str, int] = {}
    for number, text in enumerate(train, 1):
        places.setdefault(plain(text), number)
    found = [
        {"row": number, "stands in training as row": places[plain(text)], "text": text}
        for number, text in enumerate(valid, 1)
        if plain(text) in places
    ]
    share = len(found) / max(1, len(valid))
    if not found:
        return Finding(check=LEAKS, level="fine", said="no held-out text stands in the training data")
    return Finding(
        check=LEAKS,
        level="problem" if share >= MANY else "hint",
        said="held-out texts stand in the training data, so scores on them say less than they seem to",
        evidence=(f"{len(found):,} of {len(valid):,} ({share:.1%}), apart from case and spaces",),
        do="remove these rows from the validation file",
        rows=tuple(found),
    )


def check_conflicts(texts: Sequence[str], labels: Sequence[Hashable]) -> Finding:
    """Texts that stand in the training data more than once, with different labels."""
    seen: dict[str, dict[Hashable, int]] = {}
    for number, (text, label) in enumerate(zip(texts, labels, strict=True), 1):
        seen.setdefault(plain(text), {}).setdefault(label, number)
    found = [
        {"row": min(rows.values()), "and rows": sorted(rows.values())[1:], "labels": list(map(str, rows)), "text": text}
        for text, rows in seen.items()
        if len(rows) > 1
    ]
    twice = len(texts) - len(seen)
    evidence = (f"{twice:,} of {len(texts):,} training rows repeat another's text",)
    if not found:
        return Finding(check=CONFLICTS, level="fine", said="no text has two labels", evidence=evidence)
    return Finding(
        check=CONFLICTS,
        level="problem" if len(found) / len(texts) >= MANY else "hint",
        said=f"{len(found):,} texts stand in the training data with different labels",
        evidence=evidence,
        do="decide which label is right and remove the others",
        rows=tuple(found),
    )
