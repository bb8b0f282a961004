import platform
import subprocess
import sys

import pytest

from headway.training.memory import keep_freed_memory

FAULTS = """
import resource
import sys
from headway.training.memory import keep_freed_memory, stop_keeping_freed_memory
import torch

if sys.argv[1] != "as usual":
    assert keep_freed_memory()
if sys.argv[1] == "no longer kept":
    stop_keeping_freed_memory()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(2):
    torch.ones(10_000_000)
before = faults()
for _ in range(20):
    torch.ones(10_000_000)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory by rules of their own")
def test_blocks_freed_and_taken_again_are_no_new_pages():
    pages = {how: int(run(how)) for how in ("as usual", "kept", "no longer kept")}
    assert pages["kept"] * 10 < pages["as usual"]
    assert pages["kept"] * 10 < pages["no longer kept"]


KEPT = """
from headway.training.memory import give_back_freed_memory, keep_freed_memory
import torch

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

keep_freed_memory()
blocks = [torch.ones(1_000_000) for _ in range(200)]
del blocks[:-1]
kept = resident()
give_back_freed_memory()
print(kept - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory by rules of their own")
def test_kept_memory_goes_back_when_asked_even_from_below_what_is_in_use():
    freed = float(subprocess.run([sys.executable, "-c", KEPT], check=True, capture_output=True, text=True).stdout)
    assert freed > 700  # megabytes, of 796 that are free


def run(how):
    return subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True).stdout


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
