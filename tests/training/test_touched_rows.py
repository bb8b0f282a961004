"""AdamW over the rows that tokens touched ends where AdamW over all rows does."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from headway.neural import AutoModelForMaskedLM, AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training import touched_rows
from headway.training.checkpoints import TrainerState, load_state, save_state
from headway.training.clipping import clip_gradients
from headway.training.missed_steps import ROWS, Decays, missed_since, record
from headway.training.optimiser import finishing, make_optimizer, set_learning_rate
from headway.training.touched_rows import TouchedRowsAdamW, made_dense, touched_table

DEFAULT = {"betas": (0.9, 0.999), "eps": 1e-8}


@pytest.mark.parametrize("begin", [1, 2, 7, 150])
@pytest.mark.parametrize("missed", [1, 5, 7, 43, 450])
@pytest.mark.parametrize("decays", [Decays(0.9, 0.999, 1e-8), Decays(0.9, 0.99, 1e-6), Decays(0.8, 0.995, 1e-8)])
def test_steps_without_gradient_are_made_up_for_in_one_go(begin, missed, decays):
    """For gradients of all sizes, those of the size of eps too; the rate changes from step to step."""
    root = np.logspace(-3, 5, 97) * decays.eps
    first, expected = 3 * root, np.full(97, 0.05)
    sums = np.zeros((ROWS, missed + 1))
    sums[-1, 0] = 1.0
    for number in range(1, missed + 1):
        rate, step = 5e-5 * (1 + math.sin(number)), begin + number
        record(sums, number, step=step, rate=rate, weight_decay=0.1, decays=decays)
        expected *= 1 - rate * 0.1
        size = rate / (1 - decays.beta1**step) * first * decays.beta1**number
        expected -= size / (root * decays.beta2 ** (number / 2) / math.sqrt(1 - decays.beta2**step) + decays.eps)
    found = missed_since(sums, np.array([0]), last=missed, decays=decays)
    rows = [torch.tensor(one, dtype=torch.float32)[None] for one in (np.full(97, 0.05), first, root**2)]
    torch.testing.assert_close(found.weights(*rows)[0].double(), torch.tensor(expected), rtol=0, atol=1e-6)


@pytest.fixture
def model(tiny_config, monkeypatch):
    monkeypatch.setattr(touched_rows, "WORTH_IT", 100)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(tiny_config).eval()
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.1)
    return model


def trained(model, optimizer, *, steps, first=0, max_norm=0.05):
    """Steps on texts of few words each, so that most rows are touched seldom or never; every seventh rate is zero."""
    for step in range(first, first + steps):
        set_learning_rate(optimizer, 1e-3 * (step % 7) / 7)
        chance = torch.Generator().manual_seed(step)
        for part in range(2):
            ids = torch.randint(1, model.config.vocab_size, (2, 3), generator=chance)
            labels = torch.randint(0, model.config.num_labels, (2,), generator=chance)
            (model(input_ids=ids, labels=labels).loss * (part + 1)).backward()
        norm = clip_gradients(model.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return norm


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_weights_are_those_of_adamw_over_all_rows(model, decay, monkeypatch):
    monkeypatch.setattr(touched_rows, "SETTLED_EVERY", 17)
    arguments = TrainingArguments(learning_rate=1e-3, weight_decay=decay)
    dense, began = copy.deepcopy(model), copy.deepcopy(model)
    plain = make_optimizer(dense, TrainingArguments(learning_rate=1e-3, weight_decay=decay, optim="adamw_torch"))
    ours = make_optimizer(model, arguments)
    assert isinstance(ours, TouchedRowsAdamW)
    assert type(plain) is torch.optim.AdamW
    found, expected = trained(model, ours, steps=40), trained(dense, plain, steps=40)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)
    table = dense.embeddings.token.weight
    behind = (model.embeddings.token.weight - table).abs().amax(1) > 1e-6
    assert 3 < int(behind.sum()) < len(table)
    seen = model.state_dict()
    ours.finish()
    for name, weight in dense.named_parameters():
        torch.testing.assert_close(seen[name], weight, rtol=0, atol=1e-6)
        torch.testing.assert_close(model.get_parameter(name), weight, rtol=0, atol=1e-6)
    assert (dense.embeddings.token.weight - began.embeddings.token.weight).abs().max() > 2e-3
    assert not model.embeddings.token.sparse
    assert not model.embeddings.token._forward_pre_hooks


def test_a_row_is_up_to_date_when_it_is_looked_up(model):
    dense = copy.deepcopy(model)
    ours = make_optimizer(model, TrainingArguments(weight_decay=0.3))
    trained(model, ours, steps=9)
    trained(dense, make_optimizer(dense, TrainingArguments(weight_decay=0.3, optim="adamw_torch")), steps=9)
    ids = torch.arange(1, 10)[None]
    with torch.inference_mode():
        torch.testing.assert_close(model(input_ids=ids).logits, dense(input_ids=ids).logits, rtol=0, atol=1e-5)


def test_a_run_goes_on_from_a_checkpoint_bit_for_bit_also_from_one_that_the_other_run_did_not_write(model, tmp_path):
    arguments = TrainingArguments(weight_decay=0.3)
    other = copy.deepcopy(model)
    ours = make_optimizer(model, arguments)
    trained(model, ours, steps=5)
    before = model.embeddings.token.weight.clone()
    save_state(tmp_path / "checkpoint-5", model, ours, TrainerState(global_step=5), identity={}, limit=None)
    assert torch.equal(model.embeddings.token.weight, before)  # to save changes nothing
    trained(model, ours, steps=6, first=5)
    resumed = make_optimizer(other, arguments)
    load_state(tmp_path / "checkpoint-5", other, resumed, identity={})
    trained(other, resumed, steps=6, first=5)
    ours.finish()
    resumed.finish()
    for name, weight in model.named_parameters():
        assert torch.equal(weight, other.get_parameter(name)), name


def test_adamw_over_all_rows_goes_on_from_its_checkpoint(model, tmp_path):
    dense, other = copy.deepcopy(model), copy.deepcopy(model)
    everything = TrainingArguments(weight_decay=0.3, optim="adamw_torch")
    ours = make_optimizer(model, TrainingArguments(weight_decay=0.3))
    trained(model, ours, steps=5)
    save_state(tmp_path / "checkpoint-5", model, ours, TrainerState(global_step=5), identity={}, limit=None)
    resumed = make_optimizer(other, everything)
    load_state(tmp_path / "checkpoint-5", other, resumed, identity={})
    made_dense(resumed)
    trained(other, resumed, steps=6, first=5)
    trained(dense, make_optimizer(dense, everything), steps=11)
    for name, weight in dense.named_parameters():
        torch.testing.assert_close(other.get_parameter(name), weight, rtol=0, atol=1e-6)


def test_a_dense_gradient_is_taken_as_well(model):
    dense = copy.deepcopy(model)
    ours = make_optimizer(model, TrainingArguments())
    plain = make_optimizer(dense, TrainingArguments(optim="adamw_torch"))
    for one, optimizer in ((model, ours), (dense, plain)):
        trained(one, optimizer, steps=3)
        for name, weight in one.named_parameters():
            weight.grad = torch.full_like(weight, 0.01 * len(name))
        optimizer.step()
        optimizer.zero_grad()
        trained(one, optimizer, steps=4, first=3)
    ours.finish()
    for name, weight in dense.named_parameters():
        torch.testing.assert_close(model.get_parameter(name), weight, rtol=0, atol=1e-6)


def test_a_run_that_breaks_off_leaves_the_table_as_it_was_found(model):
    optimizer = make_optimizer(model, TrainingArguments())

    def breaking_off():
        with finishing(optimizer):
            trained(model, optimizer, steps=3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaking_off()
    assert not model.embeddings.token.sparse
    assert torch.equal(model.state_dict()["embeddings.token.weight"], model.embeddings.token.weight)


def test_where_it_is_not_meant_or_costs_more_adamw_moves_all_rows(model, tiny_config, monkeypatch):
    assert touched_table(model, DEFAULT) is model.embeddings.token
    assert touched_table(model, DEFAULT | {"amsgrad": True}) is None
    assert touched_table(model, DEFAULT | {"betas": (0.97, 0.98)}) is None
    assert touched_table(AutoModelForMaskedLM.from_config(tiny_config), DEFAULT) is None
    assert touched_table(nn.Linear(3, 5), DEFAULT) is None
    model.freeze("embeddings")
    assert touched_table(model, DEFAULT) is None
    monkeypatch.setattr(touched_rows, "WORTH_IT", 1 << 20)
    assert touched_table(AutoModelForSequenceClassification.from_config(tiny_config), DEFAULT) is None


@pytest.mark.parametrize("max_norm", [0.0, 0.01, 100.0])
def test_sparse_and_dense_gradients_have_the_norm_that_torch_gives_dense_ones(max_norm):
    sparse, dense = nn.Embedding(11, 3, sparse=True), nn.Embedding(11, 3)
    dense.load_state_dict(sparse.state_dict())
    ids = torch.tensor([3, 5, 3, 7])
    for table in (sparse, dense):
        (table(ids) * torch.arange(12.0).view(4, 3)).sum().backward()
    found = clip_gradients(sparse.parameters(), max_norm)
    expected = torch.nn.utils.clip_grad_norm_(dense.parameters(), max_norm or torch.inf)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(sparse.weight.grad.to_dense(), dense.weight.grad)
