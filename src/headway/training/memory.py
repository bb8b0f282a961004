"""Memory that is freed between steps is kept for the next step, instead of going back to the system and coming as new pages.

The C library gives large blocks back at once and takes them anew, zeroed page by page; with the sizes of a training step that is
a sixth of the processor's time. What is kept falls into pieces that fit nothing as sizes vary from step to step, so now and then
all that is free goes back after all; and once memory did not suffice, nothing is kept any more.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
"""Of glibc's ``malloc.h``; ``man mallopt`` says what they do, and what they are at first."""


def keep_freed_memory() -> bool:
    """Let glibc serve large blocks from memory that it keeps, for the rest of the process; whether it could be told to."""
    return _tell_malloc({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1})


def stop_keeping_freed_memory() -> None:
    """Let glibc give large blocks back at once again, as it does at first, and return what it kept."""
    _tell_malloc({M_MMAP_MAX: 65536, M_TRIM_THRESHOLD: 2**17, M_MMAP_THRESHOLD: 2**17})
    give_back_freed_memory()


def give_back_freed_memory() -> None:
    """Return to the system what glibc keeps and nobody uses; elsewhere nothing happens."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)


def _tell_malloc(values: dict[int, int]) -> bool:
    tell = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    return tell is not None and all(tell(name, value) == 1 for name, value in values.items())
