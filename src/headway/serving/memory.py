"""Memory that is given back to the system: what models took that are served no longer stays with the C library otherwise."""

import ctypes
import gc
import sys


def give_back() -> None:
    """Free what nobody refers to, and have the C library keep none of it; elsewhere than with glibc it does so by itself."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
