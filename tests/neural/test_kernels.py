"""How many kernels oneDNN keeps."""

import os
import subprocess
import sys

import pytest
import torch

import headway.neural
from headway.neural.kernels import KEPT, NAMES, keep_few
from headway.training.step import gains_from_bf16

VARIED = """
import random, sys
import torch
if sys.argv[1] == "few":
    import headway.neural
torch.set_num_threads(1)
weights = [torch.randn(shape, dtype=torch.bfloat16) for shape in ((509, 1021), (509, 2039), (509, 251))]
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before = 0
for count in range(301, 541):
    rows = torch.randn(count, 509, dtype=torch.bfloat16)
    for weight in weights:
        rows @ weight
    before = before or resident()
print(resident() - before)
"""


def grown(how):
    free = {name: value for name, value in os.environ.items() if name not in NAMES}  # this process has set them
    done = subprocess.run([sys.executable, "-c", VARIED, how], capture_output=True, text=True, check=True, env=free)
    return int(done.stdout)


def test_what_the_user_has_set_stays(monkeypatch):
    assert headway.neural
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(NAMES[0], "7")
    keep_few()
    assert [os.environ[name] for name in NAMES] == ["7", str(KEPT)]


@pytest.mark.skipif(not gains_from_bf16(torch.device("cpu")), reason="without products in bf16 oneDNN makes no kernels for them")
def test_products_of_many_shapes_take_less_memory_than_all_their_kernels_would():
    assert grown("few") < 0.6 * grown("all")
