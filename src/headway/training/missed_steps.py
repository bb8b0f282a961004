"""What AdamW's steps do to a row whose gradient is zero in all of them, in one go instead of step by step.

After its last gradient a row still moves, by what is left of its momentum and by weight decay. In step s, k steps after the last
one, a weight with mean gradient m and mean squared gradient v moves by ``a m / (sqrt(v) + e)``, where a and e depend on the steps
alone, not on the weight. The sum over steps is a sum of as many such terms as there are steps; four terms of the same form, two
for the first steps and two for the others, come as close to it as single precision can tell. They are nodes of Gauss quadrature
for the measure that gives each e its a (Golub and Welsch, 1969, Mathematics of Computation 23(106)), and follow from four moments
each, which are kept for every step that may have been a row's last one. The tests compare with the steps themselves.

Shapes: N steps that may have been the last, R rows.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

MOMENTS = 4
YOUNG = 6
"""Steps that have terms of their own, since their e grows fastest where training begins."""
ROWS = 2 * MOMENTS + 1
"""Of the sums: the moments of the first steps, those of the others, and the share that weight decay left."""
NEGLIGIBLE = 1e-9
"""Of its first size, what momentum may be left of when it no longer counts."""


@dataclass(frozen=True)
class Missed:
    """What is to be done to each row, as columns (rows, 1)."""

    kept: Tensor
    """The share of the weights that weight decay left."""
    first: Tensor
    second: Tensor
    """What is left of the mean gradient, and of the mean squared one."""
    sizes: tuple[Tensor, ...]
    terms: tuple[Tensor, ...]
    """The a and the e of each term."""

    def weights(self, weights_RE: Tensor, first_RE: Tensor, second_RE: Tensor) -> Tensor:
        """The weights after the steps, from what they and the means of the gradients were before."""
        root_RE = second_RE.sqrt()
        moved_RE = torch.zeros_like(root_RE)
        for size, term in zip(self.sizes, self.terms, strict=True):
            moved_RE.addcdiv_(size.expand_as(root_RE), root_RE + term)
        return weights_RE * self.kept - moved_RE.mul_(first_RE)


@dataclass(frozen=True)
class Decays:
    """AdamW's constants."""

    beta1: float
    beta2: float
    eps: float

    @property
    def fits(self) -> bool:
        """Whether momentum dies so much faster than the mean squared gradient that few terms stand for all steps."""
        return self.eps > 0 and self.beta2 >= 0.99 and self._share < 0.98

    @property
    def window(self) -> int:
        """Steps after which momentum has died."""
        return math.ceil(math.log(NEGLIGIBLE) / math.log(self._share))

    @property
    def _share(self) -> float:
        return max(self.beta1, 1e-6) / self.beta2**2.5


def record(sums: np.ndarray, last: int, *, step: int, rate: float, weight_decay: float, decays: Decays) -> None:
    """Take in a step.

    ``sums`` (``ROWS``, N) are changed in place: for each step up to number ``last`` - 1 the moments of all steps since, and the
    share of weights that decay left since; column ``last`` is this step's. ``step`` counts from the optimiser's first.
    """
    bias1, bias2 = 1 - decays.beta1**step, math.sqrt(1 - decays.beta2**step)
    sums[:, :last] *= 1 - rate * weight_decay
    for offset, (begin, end) in enumerate(((last - YOUNG, last), (last - decays.window, last - YOUNG))):
        begin, end = max(0, begin), max(0, end)
        age = last - np.arange(begin, end)
        for moment in range(MOMENTS):
            share = decays.beta1 * decays.beta2 ** (-(moment + 1) / 2)
            sums[MOMENTS * offset + moment, begin:end] += rate * bias2 ** (moment + 1) / bias1 * share**age
    sums[:, last], sums[-1, last] = 0.0, 1.0


def missed_since(sums: np.ndarray, columns_R: np.ndarray, *, last: int, decays: Decays) -> Missed:
    """What rows have missed that were last touched in the steps of these columns; ``last`` is that of the newest step."""
    age_R = last - columns_R
    young, old = (_two_terms(sums[start : start + MOMENTS, columns_R]) for start in (0, MOMENTS))
    return Missed(
        kept=_column(sums[-1, columns_R]),
        first=_column(decays.beta1**age_R),
        second=_column(decays.beta2**age_R),
        sizes=tuple(_column(size) for sizes, _ in (young, old) for size in sizes),
        terms=tuple(_column(decays.eps * term) for _, terms in (young, old) for term in terms),
    )


def _two_terms(moments_4R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and nodes (2, R) of the two-point quadrature with these moments; nodes are in units of eps."""
    total_R = moments_4R[0]
    safe_R = np.where(total_R > 0, total_R, 1.0)
    mean_R = np.where(total_R > 0, moments_4R[1] / safe_R, 1.0)
    second_R, third_R = moments_4R[2] / safe_R, moments_4R[3] / safe_R
    variance_R = second_R - mean_R**2
    spread_out = (total_R > 0) & (variance_R > 1e-9 * mean_R**2)
    variance_R = np.where(spread_out, variance_R, 1.0)
    skew_R = (third_R - 3 * mean_R * second_R + 2 * mean_R**3) / (2 * variance_R)
    width_R = np.sqrt(variance_R + skew_R**2)
    middle_R, reach_R = np.where(spread_out, mean_R + skew_R, mean_R), np.where(spread_out, width_R, 0.0)
    share_R = np.where(spread_out, (width_R + skew_R) / (2 * width_R), 1.0)
    return np.stack([total_R * share_R, total_R * (1 - share_R)]), np.stack([middle_R - reach_R, middle_R + reach_R])


def _column(values_R: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values_R, dtype=np.float32))[:, None]
