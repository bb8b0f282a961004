"""Numbers as 8-bit integers: weights symmetric with a scale a row, activations with one calibrated range a place."""

from dataclasses import dataclass

import numpy as np

WEIGHT_LIMIT = 127
REDUCED_LIMIT = 63
ACTIVATION_STEPS = 255


@dataclass(frozen=True)
class Range:
    """What the numbers at one place of a model span; what lies outside is clipped. It always holds zero."""

    low: float
    high: float

    @property
    def scale(self) -> np.ndarray:
        """What one step of the 8-bit integer stands for, float32."""
        return np.array(max(self.high - self.low, 1e-12) / ACTIVATION_STEPS, np.float32)

    @property
    def zero_point(self) -> np.ndarray:
        """The integer that stands for 0.0, uint8."""
        return np.array(np.clip(np.round(-self.low / self.scale), 0, ACTIVATION_STEPS), np.uint8)


@dataclass(frozen=True, eq=False)
class Reading:
    """How the numbers at one place become 8-bit integers: divided channel by channel, then cut into steps.

    The weights that read them are multiplied by the same divisors, (channels,), so these change nothing but the rounding.
    """

    range: Range
    divisor: np.ndarray | None = None


def weight_limit(*, reduce_range: bool) -> int:
    """The largest integer that a weight becomes, with 8 bits or with 7."""
    return REDUCED_LIMIT if reduce_range else WEIGHT_LIMIT


def quantise_rows(matrix: np.ndarray, *, limit: int = WEIGHT_LIMIT) -> tuple[np.ndarray, np.ndarray]:
    """A matrix as int8 within ±limit, and each row's scale, float32: ``integers * scales[:, None]`` is nearly the matrix."""
    scales = np.maximum(np.abs(matrix).max(axis=1), 1e-12) / np.float32(limit)
    integers = np.clip(np.rint(matrix / scales[:, None]), -limit, limit)
    return integers.astype(np.int8), scales.astype(np.float32)
