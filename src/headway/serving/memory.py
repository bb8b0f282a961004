"""Memory of models: what they took that are served no longer is given back to the system; what is in use is not looked through.

Python looks through all its objects for garbage every few thousand requests, which keeps every request waiting meanwhile.
"""

import ctypes
import gc
import sys


def settle() -> None:
    """Free what nobody refers to, and look for garbage only among what comes from now on."""
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Free what nobody refers to, and have the C library keep none of it; elsewhere than with glibc it does so by itself."""
    is_settled = gc.get_freeze_count() > 0
    gc.unfreeze()
    gc.collect()
    if is_settled:
        gc.freeze()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
