"""Rows of numbers to arrays: NumPy's, or torch's where the caller asks for them."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from headway.errors import InputError, missing_extra
from headway.text.encoded import Filling

Tensors: TypeAlias = Literal["np", "pt"]


def checked_tensors(kind: Any) -> Tensors | None:
    """The kind of arrays asked for; None for lists."""
    if kind is not None and kind not in ("np", "pt"):
        raise InputError(f"return_tensors is {kind!r}; it is None for lists, 'np' for NumPy or 'pt' for torch.")
    return cast("Tensors | None", kind)


def as_tensor(value: Any, kind: Tensors, *, name: str) -> Any:
    """Numbers in lists as one array of that kind, an empty list as integers; an array of that kind stays."""
    torch = _torch() if kind == "pt" else None
    if isinstance(value, np.ndarray if torch is None else torch.Tensor):
        return value
    try:
        if torch is not None and not isinstance(value, np.ndarray):
            found = torch.tensor(value)
            return found if found.numel() else found.long()
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise _ragged(name) from error
    if array.dtype.kind not in "biuf":
        raise _ragged(name)
    array = array if array.size else array.astype(np.int64)
    return array if torch is None else torch.from_numpy(array)


def as_tensors(arrays: Mapping[str, np.ndarray], kind: Tensors) -> dict[str, Any]:
    """The arrays as they are, or as torch's."""
    return {name: as_tensor(array, kind, name=name) for name, array in arrays.items()}


class Grid:
    """Where the tokens of texts stand in an array with one row a text: filled at one side, or all of one length."""

    def __init__(self, lengths: Sequence[int], filling: Filling | None) -> None:
        self._counts = np.fromiter(lengths, np.int64, len(lengths))
        longest = int(self._counts.max(initial=0))
        width = longest if filling is None else max(longest, filling.length)
        is_ragged = bool((self._counts != width).any())
        if is_ragged and (filling is None or longest > filling.length):
            raise InputError(
                f"The texts became {self._counts.min()} to {longest} tokens, so they cannot be the rows of one array. "
                "Use padding=True, and truncation=True if some may be too long."
            )
        places = np.arange(width)
        starts = width - self._counts if filling is not None and filling.side == "left" else np.zeros_like(self._counts)
        self.is_token = (places >= starts[:, None]) & (places < (starts + self._counts)[:, None])

    def array(self, rows: Sequence[Sequence[int]], *, fill: int) -> np.ndarray:
        """One number a token, (texts, tokens)."""
        found = np.full(self.is_token.shape, fill, dtype=np.int64)
        found[self.is_token] = np.fromiter(chain.from_iterable(rows), np.int64, count=int(self._counts.sum()))
        return found

    def spans(self, rows: Sequence[Sequence[tuple[int, int]]]) -> np.ndarray:
        """Two numbers a token, (texts, tokens, 2); zeros where nothing stands."""
        found = np.zeros((*self.is_token.shape, 2), dtype=np.int64)
        flat = np.fromiter(chain.from_iterable(chain.from_iterable(rows)), np.int64, count=2 * int(self._counts.sum()))
        found[self.is_token] = flat.reshape(-1, 2)
        return found


def _ragged(name: str) -> InputError:
    return InputError(
        f"{name} holds rows of unequal length, or what is no number, so it cannot be one array. Use padding=True, and "
        "truncation=True if some may be too long; leave out what is no input of the model."
    )


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise missing_extra("torch", extra="train", purpose='return_tensors="pt"') from error
    return torch
