"""Arrays whose memory may change hands: what is read for a model becomes the model's, without a second copy."""

from typing import Any

import numpy as np


class Memory(np.ndarray):
    """The memory of a ``new_array``; as an object of a class of its own it can note that it was taken."""


def new_array(shape: int | tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """An array without values yet, whose memory ``headway.checkpoints.taken_over`` gives to the first who asks."""
    return Memory(shape, dtype).view(np.ndarray)
