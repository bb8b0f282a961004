import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys
from headway.training.memory import keep_freed_memory
import torch

if sys.argv[1] == "kept":
    assert keep_freed_memory()

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
    pages = {how: int(run(how)) for how in ("as usual", "kept")}
    assert pages["kept"] * 10 < pages["as usual"]


def run(how):
    return subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True).stdout


def test_other_systems_are_left_alone(monkeypatch):
    from headway.training.memory import keep_freed_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
