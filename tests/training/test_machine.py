"""What the machine can do and what the process takes of it: that these are numbers of the right kind, not how large they are."""

import pytest
import torch

from headway.training.machine import matrix_product_peak, memory


@pytest.mark.parametrize("half", [None, torch.bfloat16, torch.float16])
def test_the_peak_of_matrix_products_is_measured_within_a_moment(half, monkeypatch):
    monkeypatch.setattr("headway.training.machine.SECONDS", 0.01)
    monkeypatch.setattr("headway.training.machine.SIZES", {"cpu": 64})
    assert matrix_product_peak(torch.device("cpu"), half=half) > 0


def test_memory_is_counted_in_bytes_and_never_above_its_peak():
    now, most = memory(torch.device("cpu"))
    assert most > 10e6
    assert now is None or 10e6 < now <= 1.01 * most
