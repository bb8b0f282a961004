"""What the machine at hand can do, and what this process takes of it."""

import math
import sys
import time
from pathlib import Path

import torch

from headway.neural.products import AMPERE

SECONDS = 0.15
"""How long the matrix product is measured."""
SIZES = {"cuda": 8192, "cpu": 768}


def matrix_product_peak(device: torch.device, *, half: torch.dtype | None = None) -> float:
    """Operations a second of this machine's matrix products, in half precision or float32: the best of a fraction of a second."""
    size = SIZES.get(device.type, 1024)
    # of numbers that differ: a GPU multiplies equal ones faster, since it then draws less power
    matrix = torch.linspace(-1, 1, size**2, device=device).view(size, size).to(half or torch.float32)
    best, end = math.inf, time.perf_counter() + SECONDS
    with torch.no_grad():
        _synchronise(matrix @ matrix)
        while time.perf_counter() < end:
            began = time.perf_counter()
            _synchronise(matrix @ matrix)
            best = min(best, time.perf_counter() - began)
    return 0.0 if best == math.inf else 2 * size**3 / best


def device_for(*, use_cpu: bool) -> str:
    """Where models are trained: on the GPU, where there is one and nobody wants the CPU."""
    return "cuda" if torch.cuda.is_available() and not use_cpu else "cpu"


def use_tf32(wanted: bool | None) -> list[str]:
    """Let products of float32 run in TensorFloat-32 on NVIDIA's GPUs from Ampere on, or not; None leaves torch's own setting.

    Where there is no such GPU nothing changes, and what is to be said of that is returned.
    """
    if wanted is None:
        return []
    if torch.cuda.is_available() and torch.cuda.get_device_capability() >= AMPERE:
        torch.set_float32_matmul_precision("high" if wanted else "highest")
        return []
    found = torch.cuda.get_device_name() if torch.cuda.is_available() else "this machine"
    said = f"Precision: tf32 has no effect on {found}; NVIDIA's GPUs have it from Ampere on. Products are in float32."
    return [said] if wanted else []


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
