"""Whether some classes are so rare that the model does not learn them."""

from collections.abc import Mapping, Sequence

import numpy as np

from headway.diagnosis.findings import Finding

CHECK = "class balance"
UNEQUAL = 5.0
"""How many times the rarest the commonest class is where classes count as unequal."""
OUTSIDE = "O"
"""The label of words outside of entities, which is common by nature."""
ENOUGH = 10
"""Held-out rows of a class from which on it means something that none is recognised."""
WORSE = 0.15
"""How much worse than the mean a rare class's recall is where that hurts."""


def check_classes(counts: Mapping[str, int], right_N: np.ndarray, labels_N: np.ndarray, *, names: Sequence[str]) -> Finding:
    """Labels in the training data, and how often each is recognised in held-out rows, (rows,); none where there are none."""
    counted = {name: counts.get(name, 0) for name in names}
    recall = {name: float(right_N[labels_N == place].mean()) for place, name in enumerate(names) if (labels_N == place).any()}
    lines = [
        f"{name}: {counted[name]:,} training rows, "
        + (f"{recall[name]:.1%} recognised of {int((labels_N == place).sum()):,} held-out" if name in recall else "none held out")
        for place, name in enumerate(names)
    ]
    evidence = tuple(sorted(lines, key=lambda line: counted[line.partition(":")[0]])[:12])
    if missing := [name for name, count in counted.items() if not count]:
        return Finding(
            check=CHECK, level="problem", said=f"no training row has the label {', '.join(missing)}", evidence=evidence,
            do="add rows with these labels, or take them out of the model with label_names",
        )  # fmt: skip
    compared = {name: count for name, count in counted.items() if name != OUTSIDE} or counted
    rarest = min(compared, key=lambda name: compared[name])
    ratio = max(compared.values()) / compared[rarest]
    never = [name for place, name in enumerate(names) if recall.get(name) == 0 and (labels_N == place).sum() >= ENOUGH]
    if never and ratio < UNEQUAL:
        return Finding(
            check=CHECK, level="problem", said=f"the model never recognises {', '.join(never)}, though it is not rare",
            evidence=evidence, do="see the learning rate and the fit first; then the labels of these rows",
        )  # fmt: skip
    if ratio < UNEQUAL:
        return Finding(check=CHECK, level="fine", said=f"classes differ by no more than {ratio:.1f} times", evidence=evidence)
    mean_recall = float(np.mean(list(recall.values()))) if recall else None
    hurts = mean_recall is not None and rarest in recall and recall[rarest] < mean_recall - WORSE
    effect = "and is recognised much less often than the others" if hurts else "and that does not show in what is recognised"
    if mean_recall is None or rarest not in recall:
        effect = "and no held-out row tells what that does"
    return Finding(
        check=CHECK,
        level="problem" if hurts else "hint",
        said=f"{rarest!r} is {ratio:.0f} times as rare as the commonest label, {effect}",
        evidence=evidence,
        sure="high" if hurts and (labels_N == list(names).index(rarest)).sum() >= 20 else "medium",
        do="class_weights=balanced, and compare models by a mean over classes such as macro_f1",
    )
