"""What the machine at hand can do, and what this process takes of it."""

import math
import sys
import time
from pathlib import Path

import torch

SECONDS = 0.15
"""How long the matrix product is measured."""
SIZES = {"cuda": 4096, "cpu": 768}


def matrix_product_peak(device: torch.device, *, bf16: bool) -> float:
    """Operations a second of this machine's matrix products, in bfloat16 or float32: the best of a fraction of a second."""
    size = SIZES.get(device.type, 1024)
    dtype = torch.bfloat16 if bf16 else torch.float32
    matrix = torch.ones((size, size), device=device, dtype=dtype)
    best, end = math.inf, time.perf_counter() + SECONDS
    with torch.no_grad():
        _synchronise(matrix @ matrix)
        while time.perf_counter() < end:
            began = time.perf_counter()
            _synchronise(matrix @ matrix)
            best = min(best, time.perf_counter() - began)
    return 0.0 if best == math.inf else 2 * size**3 / best


def memory(device: torch.device) -> tuple[float | None, float]:
    """Bytes that the process takes now (None where the system does not say) and at most: the GPU's where there is one."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device), torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/statm")
    if not status.exists():
        return None, _peak()
    import resource

    return int(status.read_text(encoding="ascii").split()[1]) * resource.getpagesize(), _peak()


def _peak() -> float:
    """The most memory that the process took. macOS counts bytes, others kilobytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _synchronise(result: torch.Tensor) -> None:
    """Wait until the product is there."""
    if result.device.type == "cuda":
        torch.cuda.synchronize(result.device)
