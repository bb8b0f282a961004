"""Training whose numbers are the same again, bit for bit, on a GPU as they are on a CPU."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from headway.errors import ConfigError

WORKSPACE, SIZE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
"""What cuBLAS wants to be told to choose the same sums each time."""
TRITON = "HEADWAY_TRITON"
"""What asks for the kernel of disentangled attention, which adds up by atomic additions."""
NONE_SUCH = "does not have a deterministic implementation"


@contextmanager
def deterministic(device: torch.device, *, wanted: bool) -> Iterator[None]:
    """In the block, torch takes the kernels on a GPU that add up in one order. On a CPU the sums have one order anyway.

    An operation that has no such kernel is a ``ConfigError`` that names it.
    """
    if not wanted or device.type == "cpu":
        yield
        return
    if os.environ.get(TRITON) == "1":
        raise ConfigError(
            f"full_determinism is on, but {TRITON} asks for a kernel whose sums have no order. Leave one of them out."
        )
    os.environ.setdefault(WORKSPACE, SIZE)
    cudnn, before = torch.backends.cudnn, torch.get_deterministic_debug_mode()
    kept = cudnn.deterministic, cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    except RuntimeError as error:
        if NONE_SUCH not in str(error):
            raise
        raise ConfigError(f"full_determinism is on, but {str(error).partition('. ')[0]}. Leave full_determinism out.") from error
    finally:
        torch.set_deterministic_debug_mode(before)
        cudnn.deterministic, cudnn.benchmark = kept
