"""Whether too much of the texts is cut off, and what that does to the scores."""

import math
from collections.abc import Sequence

import numpy as np

from headway.diagnosis.findings import Finding

CHECK = "truncation"
SHARE = 0.05
SURELY = 2.0
"""Standard errors between two shares that make a difference believable."""


def check_cuts(
    read_N: Sequence[int], dropped_N: Sequence[int], right_N: np.ndarray | None, *, limit: int, longest: int, data: str
) -> Finding:
    """Tokens that the model reads of each row and those that are cut off; ``right`` is whether the answer was right, (rows,)."""
    read, dropped = np.array(read_N), np.array(dropped_N)
    cut_N = dropped > 0
    share = float(cut_N.mean())
    evidence = [f"{int(cut_N.sum()):,} of {len(read):,} rows of {data} ({share:.1%}) are longer than {limit:,} tokens"]
    if not cut_N.any():
        return Finding(check=CHECK, level="fine", said="no row is cut", evidence=tuple(evidence))
    evidence.append(f"of these rows {dropped[cut_N].sum() / (dropped[cut_N] + read[cut_N]).sum():.0%} of the tokens are not read")
    worse = right_N is not None and _is_worse(right_N, cut_N, evidence)
    if share < SHARE and not worse:
        return Finding(check=CHECK, level="fine", said=f"only {share:.1%} of the rows are cut", evidence=tuple(evidence))
    wanted = min(longest, int(np.percentile(read + dropped, 95)))
    longer = (
        f"max_length={wanted}" if wanted > limit else "--options overflow=window where answers are asked for, or a longer model"
    )
    return Finding(
        check=CHECK,
        level="problem" if worse else "hint",
        said=f"{share:.1%} of the rows are cut" + (", and the model is worse on these" if worse else ""),
        evidence=tuple(evidence),
        sure="high" if worse else "medium",
        do=longer,
    )


def _is_worse(right_N: np.ndarray, cut_N: np.ndarray, evidence: list[str]) -> bool:
    """Whether rows that are cut are answered right less often than the others, believably."""
    cut, whole = right_N[cut_N], right_N[~cut_N]
    if not len(whole):
        evidence.append(f"right: {cut.mean():.1%} of all rows, every one of them cut")
        return False
    evidence.append(f"right: {cut.mean():.1%} of the {len(cut):,} rows that are cut, {whole.mean():.1%} of the others")
    spread = math.sqrt(right_N.mean() * (1 - right_N.mean()) * (1 / len(cut) + 1 / len(whole)))
    return bool(spread > 0 and whole.mean() - cut.mean() > SURELY * spread)
