"""Dropout with cheap random numbers."""

import pytest
import torch
from torch import nn

from headway.neural import AutoModelForMaskedLM, AutoModelForSequenceClassification
from headway.neural.dropout import FastDropout, drop


@pytest.mark.parametrize("rate", [0.1, 0.37, 0.9])
def test_a_share_of_the_elements_is_dropped_and_the_mean_stays(rate):
    torch.manual_seed(3)
    found = drop(torch.ones(307, 1009), rate)
    values, counts = found.unique(return_counts=True)
    assert values.tolist() == pytest.approx([0.0, 1 / (1 - rate)], rel=1e-4)
    assert float(counts[0]) / found.numel() == pytest.approx(rate, abs=0.003)
    assert float(found.mean()) == pytest.approx(1.0, abs=0.03)
    assert float(found.mean(0).var()) == pytest.approx(rate / (1 - rate) / 307, rel=0.2)  # columns do not depend on each other
    assert float(found.mean(1).var()) == pytest.approx(rate / (1 - rate) / 1009, rel=0.3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_dropped_follows_from_torchs_seed_and_has_no_gradient(dtype):
    states = torch.randn(11, 13, dtype=dtype, requires_grad=True)
    torch.manual_seed(5)
    first = drop(states, 0.4)
    torch.manual_seed(5)
    again, other = drop(states, 0.4), drop(states, 0.4)
    assert first.dtype == dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    first.float().sum().backward()
    assert torch.equal(states.grad == 0, first == 0)


def test_nothing_is_dropped_out_of_training_or_at_rate_zero_and_everything_at_one():
    states = torch.randn(5, 7)
    assert torch.equal(FastDropout(0.5).eval()(states), states)
    assert torch.equal(FastDropout(0.0)(states), states)
    assert torch.equal(FastDropout(1.0)(states), torch.zeros(5, 7))
    assert drop(torch.ones(0, 3), 0.5).shape == (0, 3)


def test_models_drop_by_it(tiny_config):
    for kind in (AutoModelForSequenceClassification, AutoModelForMaskedLM):
        found = [module for module in kind.from_config(tiny_config).modules() if isinstance(module, nn.Dropout)]
        assert found
        assert all(type(module) is FastDropout for module in found)
