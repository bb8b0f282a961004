"""A file of weights mapped into memory, and the two things that can be wrong with one: damaged, or not what weights may hold."""

import mmap
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headway.core.arrays import Memory
from headway.errors import WeightError

POINTER = b"version https://git-lfs"


@dataclass(frozen=True, eq=False)
class MappedFile:
    """The bytes of a file, read from the disk only where they are looked at; ``form`` is what the file claims to be."""

    path: Path
    content: np.ndarray
    form: str

    def damaged(self, reason: str) -> WeightError:
        """The error for a file that is not whole."""
        return WeightError(
            f"{self.path} is not a whole {self.form}: {reason}. It may be truncated or damaged: download or save it again."
        )

    def refused(self, found: str) -> WeightError:
        """The error for a file that wants more than weights."""
        return WeightError(
            f"{self.path} is refused, and nothing in it was run: {found}, but weights are named tensors and nothing else. "
            "Another library may do whatever such a file asks for, so do not open it elsewhere unless you trust its origin. "
            "Use the model's safetensors file instead; if the file is your own, save the weights alone: "
            "torch.save(model.state_dict(), path)."
        )

    def unsupported(self, found: str) -> WeightError:
        """The error for tensors of a kind that nothing here computes with."""
        return WeightError(
            f"{self.path} cannot be used: it holds {found}, and Headway computes with ordinary floating-point weights. "
            "Use the original checkpoint, or save the model with dense weights in float32, float16 or bfloat16."
        )


def map_file(path: Path, *, form: str) -> MappedFile:
    """The file, mapped for reading; one that cannot be, or that stands for another, is an error."""
    try:
        content = np.asarray(np.memmap(path, dtype=np.uint8, mode="c"))  # changes, if any, would stay in this process
    except (OSError, ValueError) as error:
        raise MappedFile(path, np.empty(0, np.uint8), form).damaged(f"it cannot be opened ({error})") from error
    content.flags.writeable = False
    if content[: len(POINTER)].tobytes() == POINTER:
        raise WeightError(
            f"{path} is only Git's pointer to the weights, because its repository was cloned without Git LFS. "
            "Run `git lfs install` and `git lfs pull` in its folder."
        )
    return MappedFile(path, content, form)


def taken_over(array: np.ndarray) -> np.ndarray:
    """The same float32 numbers for a model to keep and to change: a checkpoint's memory where nobody took it before, else a copy.

    A large model is then in memory once and at once. Its file is never changed, and may be replaced, but not be written into.
    """
    owner = _owner(array)
    if array.dtype == np.float32 and _may_be_taken(owner, array):
        taken = vars(owner).setdefault("taken", set())
        if (place := _address(array)) not in taken:
            taken.add(place)
            array = array.view()
            array.flags.writeable = True
            return array
    return np.array(array, dtype=np.float32)


def let_go(content: np.ndarray) -> None:
    """Have memory forget these bytes of a mapped file, which were copied; where somebody reads them again, they come back."""
    owner = _owner(content)
    mapping: object = owner.base if isinstance(owner, np.memmap) else None
    if not isinstance(owner, np.memmap) or not isinstance(mapping, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start = _address(content) - _address(owner)
    first, stop = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE, (start + content.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if first < stop:  # pages that belong to others in part stay
        mapping.madvise(mmap.MADV_DONTNEED, first, stop - first)


def _owner(array: np.ndarray) -> object:
    """What the array's memory belongs to, where that notes who took it."""
    owner = array.base
    while isinstance(owner, np.ndarray) and not isinstance(owner, np.memmap | Memory):
        owner = owner.base
    return owner


def _may_be_taken(owner: object, array: np.ndarray) -> bool:
    """Of a mapped file any part, as long as it can be replaced, which Windows forbids; of other memory the whole."""
    if isinstance(owner, np.memmap):
        return owner.mode == "c" and os.name != "nt"
    return isinstance(owner, Memory) and array.nbytes == owner.nbytes and array.flags.c_contiguous


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])
