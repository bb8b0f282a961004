"""``full_determinism``: what torch is told, for how long, and what is said where it cannot be had."""

import os

import pytest
import torch

from headway.errors import ConfigError
from headway.training.determinism import deterministic

GPU = torch.device("cuda")  # torch is told for one that need not be there


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.delenv("HEADWAY_TRITON", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    yield
    torch.use_deterministic_algorithms(False)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def test_on_a_gpu_torch_adds_up_in_one_order_while_it_trains():
    with deterministic(GPU, wanted=True):
        assert torch.are_deterministic_algorithms_enabled()
        assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (True, False)
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (False, True)


@pytest.mark.parametrize(("device", "wanted"), [("cpu", True), ("cuda", False)])
def test_otherwise_nothing_is_changed(device, wanted):
    with deterministic(torch.device(device), wanted=wanted):
        assert not torch.are_deterministic_algorithms_enabled()
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def test_what_the_user_told_torch_stays():
    torch.set_deterministic_debug_mode("warn")
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":16:8"
    with deterministic(GPU, wanted=True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    assert torch.get_deterministic_debug_mode() == 1


def test_an_operation_without_such_a_form_is_named():
    said = r"full_determinism is on, but cumsum_cuda does not have .* Leave full_determinism out"
    with pytest.raises(ConfigError, match=said), deterministic(GPU, wanted=True):
        raise RuntimeError("cumsum_cuda does not have a deterministic implementation, but you set x. You can turn off y.")
    with pytest.raises(RuntimeError, match="another"), deterministic(GPU, wanted=True):
        raise RuntimeError("another")


def test_a_kernel_that_adds_in_any_order_is_refused(monkeypatch):
    monkeypatch.setenv("HEADWAY_TRITON", "1")
    said = "HEADWAY_TRITON asks for a kernel whose sums have no order"
    with pytest.raises(ConfigError, match=said), deterministic(GPU, wanted=True):
        pass
