"""How many of oneDNN's kernels are kept, on a CPU.

It makes one for each shape that it meets. Packed batches hold another number of tokens each time, and groups of texts have other
lengths, so hardly any is met again after its step; but it keeps 1,024 of them, and torch as many plans of its own, which take
hundreds of megabytes and more.
"""

import os

KEPT = 128
"""Of each."""
NAMES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")


def keep_few() -> None:
    """Say so to both, unless the user has; they look at their first product."""
    for name in NAMES:
        os.environ.setdefault(name, str(KEPT))
