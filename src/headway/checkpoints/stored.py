"""The tensors of a folder held against the weights that an architecture wants: names and sizes, before anything is read."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from headway.architecture import WeightNames
from headway.architecture.weights import Shape
from headway.checkpoints.files import stored_tensors
from headway.checkpoints.tensors import StoredTensor
from headway.errors import WeightError

NUMBERS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""What torch calls the numbers that weights may be stored as."""


class Stored:
    """What a folder's weight files hold; ``read`` reads an array under our name, of those in ``ours``."""

    def __init__(self, folder: Path, names: WeightNames) -> None:
        self.folder = folder
        self.names = names
        tensors = names.untied(stored_tensors(folder))
        self.ours: Mapping[str, Callable[[], np.ndarray]] = names.to_ours(tensors)[0]
        self.theirs = _by_canonical_name(folder, names, tensors)

    def read(self, ours: str) -> np.ndarray:
        """An array under our name, in memory once: as the file has it, or as a copy in its place."""
        array = self.ours[ours]()
        for their in self._pieces(ours):
            self.theirs[their].let_go(unless_in=array)
        return array

    @property
    def dtype(self) -> str:
        """The numbers of the first weight, which are usually those of all."""
        return next((NUMBERS[tensor.kind] for tensor in self.theirs.values() if tensor.kind in NUMBERS), "float32")

    def shape(self, ours: str) -> Shape:
        """A weight's shape on disk; of one that is stored in pieces, the first one's."""
        return self.theirs[self._pieces(ours)[0]].shape

    def missing(self, shapes: Mapping[str, Shape]) -> list[str]:
        """Our names of what is absent; an error where the encoder is not whole."""
        absent = [name for name in shapes if name not in self.ours]
        lost = [their for name in absent if not replaceable(name) for their in self._pieces(name) if their not in self.theirs]
        if lost:
            others = listed(self.unexpected(shapes), limit=3)
            raise WeightError(
                f"{self.folder} has no {listed(lost)}; without {'it' if len(lost) == 1 else 'them'} the encoder cannot compute. "
                + (f"There are weights that this model does not use: {others}. " if others else "")
                + "If config.json belongs to these weights, download or save the model again."
            )
        return absent

    def mismatched(self, shapes: Mapping[str, Shape], *, allowed: bool) -> list[str]:
        """Our names of what has another size; an error where it may not be made anew."""
        found = []
        for name in (name for name in shapes if name in self.ours):
            expected = (shapes[name][0] // len(self._pieces(name)), *shapes[name][1:])
            wrong = [self.theirs[their] for their in self._pieces(name) if self.theirs[their].shape != expected]
            if wrong and not (allowed and replaceable(name)):
                raise _misshapen(wrong[0], expected, name)
            found += [name] if wrong else []
        return found

    def unexpected(self, shapes: Mapping[str, Shape]) -> list[str]:
        """Names on disk that none of these weights uses, sorted."""
        used = {their for name in shapes for their in self._pieces(name)}
        unused = [tensor.name for canonical, tensor in self.theirs.items() if canonical not in used]
        return sorted(name for name in unused if not self.names.ignores(name))

    def _pieces(self, ours: str) -> list[str]:
        return self.names.names_of(ours, has_head=False)


def replaceable(ours: str) -> bool:
    """Whether fine-tuning makes this weight anew: a head's, or the pooler's before it."""
    return ours.startswith(("head.", "pooler."))


def listed(names: Iterable[str], *, limit: int = 6) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _by_canonical_name(folder: Path, names: WeightNames, tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    found: dict[str, StoredTensor] = {}
    for name, tensor in tensors.items():
        if (twin := found.setdefault(names.canonical(name), tensor)) is not tensor:
            raise WeightError(
                f"{folder} holds one weight under two names, {twin.name} and {name}, and nothing says which is right. "
                "Use the original checkpoint, or remove one of the two."
            )
    return found


def _misshapen(tensor: StoredTensor, expected: Shape, ours: str) -> WeightError:
    if ours.startswith("head.classifier."):
        remedy = (
            f"Load with num_labels={tensor.shape[0]} to use it as it is, or with ignore_mismatched_sizes=True to begin a new one."
        )
    elif replaceable(ours):
        remedy = "Load with ignore_mismatched_sizes=True to begin a new one."
    else:
        remedy = "Either config.json belongs to other weights, or a setting that decides sizes was changed: put it back."
    return WeightError(
        f"{tensor.name} has the shape {tensor.shape} in {tensor.path}, but the configuration asks for {expected}. {remedy}"
    )
