"""Memory that is freed between steps is kept for the next step, instead of going back to the system and coming as new pages.

The C library gives large blocks back at once and takes them anew, zeroed page by page; with the sizes of a training step that is
a sixth of the processor's time. What is kept falls into pieces that fit nothing as sizes vary from step to step, so now and then
all that is free goes back after all.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of glibc's ``malloc.h``; ``man mallopt`` says what they do."""


def keep_freed_memory() -> bool:
    """Let glibc serve large blocks from memory that it keeps, for the rest of the process; whether it could be told to."""
    if not sys.platform.startswith("linux"):
        return False
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    return tell is not None and all(tell(name, value) == 1 for name, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1)))


def give_back_freed_memory() -> None:
    """Return to the system what glibc keeps and nobody uses; elsewhere nothing happens."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)
