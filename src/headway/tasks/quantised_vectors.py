"""Vectors in fewer bits, as sentence-transformers' ``quantize_embeddings`` makes them, one vector at a time."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from headway.errors import TaskError

Numbers: TypeAlias = Literal["float32", "int8", "uint8", "binary", "ubinary"]
LEVELS = 255


def quantised(vector_D: np.ndarray, numbers: Numbers, *, ranges: np.ndarray | None = None) -> np.ndarray:
    """The vector in these numbers: (dimensions,), or for the binary ones a bit each for what is above zero, eight to a number.

    ``ranges`` are the least and the largest value of each dimension, between which int8 and uint8 have 256 levels.
    """
    match numbers:
        case "float32":
            return vector_D
        case "ubinary":
            return np.packbits(vector_D > 0)
        case "binary":
            return (np.packbits(vector_D > 0).astype(np.int16) - 128).astype(np.int8)
        case _:
            assert ranges is not None  # the options ask for them
            levels_D = _levels(vector_D, ranges)
            return levels_D.astype(np.uint8) if numbers == "uint8" else (levels_D - 128).astype(np.int8)


def read_ranges(ranges: Sequence[Sequence[float]] | None, numbers: Numbers) -> np.ndarray | None:
    """The ranges as float32, (2, dimensions); None where these numbers need none. Missing or odd ones are a ``TaskError``."""
    if numbers not in ("int8", "uint8"):
        return None
    if ranges is None:
        raise TaskError(
            f"output_precision={numbers!r} needs ranges, the least and the largest value of each dimension, so that one text's "
            "numbers do not depend on the others beside it. Take them from many vectors: ranges=[vectors.min(0), vectors.max(0)]."
        )
    try:
        found = np.asarray(ranges, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise TaskError(_odd(f"{ranges!r:.60}")) from error
    if found.ndim != 2 or len(found) != 2 or not np.isfinite(found).all():
        raise TaskError(_odd(f"an array of shape {found.shape}"))
    return found


def _odd(what: str) -> str:
    return (
        f"ranges is {what}, but it holds two rows of finite numbers, the least and the largest value of each dimension. Use "
        "ranges=[vectors.min(0), vectors.max(0)]."
    )


def _levels(vector_D: np.ndarray, ranges_2D: np.ndarray) -> np.ndarray:
    if ranges_2D.shape[1] != len(vector_D):
        raise TaskError(
            f"ranges are for vectors of {ranges_2D.shape[1]} values, but this model's have {len(vector_D)}. Take them from "
            "vectors made with the same model and options."
        )
    steps_D = (ranges_2D[1] - ranges_2D[0]) / np.float32(LEVELS)
    steps_D = np.where(steps_D == 0, np.float32(1), steps_D)
    return np.asarray(np.clip(np.floor((vector_D - ranges_2D[0]) / steps_D), 0, LEVELS), dtype=np.int16)
