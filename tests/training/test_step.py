"""The step and the optimiser."""

import copy

import pytest
import torch

from headway.core.batching import TokenSequence
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training.batch import text_batch, text_loss
from headway.training.optimiser import make_optimizer
from headway.training.step import mixed_precision, train_step


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    still = tiny_config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return AutoModelForSequenceClassification.from_config(still).train()


def batch_of(*lengths, label=1):
    texts = [TokenSequence([5 + n] * n) for n in lengths]
    return text_batch(texts, [(label + n) % 5 for n in range(len(lengths))], device=torch.device("cpu"))


def one_step(model, batches, **settings):
    arguments = TrainingArguments(learning_rate=0.01, weight_decay=0.1, **settings)
    model = copy.deepcopy(model)
    result = train_step(
        model, batches, loss_sum=text_loss, optimizer=make_optimizer(model, arguments),
        precision=mixed_precision(model.device, bf16=False), max_grad_norm=1.0,
    )  # fmt: skip
    return result, model.state_dict()


def test_one_large_batch_and_two_unequal_ones_give_the_same_weights(model):
    texts = [TokenSequence([5 + n] * n) for n in (3, 7, 2, 5, 11, 4, 6, 8)]
    labels = [0, 1, 2, 3, 4, 0, 1, 2]
    device = torch.device("cpu")
    whole, expected = one_step(model, [text_batch(texts, labels, device=device)])
    parts, found = one_step(
        model, [text_batch(texts[:1], labels[:1], device=device), text_batch(texts[1:], labels[1:], device=device)]
    )
    assert parts.loss == pytest.approx(whole.loss, rel=1e-5)
    assert parts.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-4)
    assert parts.tokens == whole.tokens == 46
    for name, weight in expected.items():
        # AdamW's first step is lr * sign(gradient), so a gradient of rounding size may go either way
        assert ((found[name] - weight).abs() < 1e-4).float().mean() > 0.97, name


def test_the_loss_is_the_mean_over_targets(model):
    batch = batch_of(3, 5, 2)
    result, _ = one_step(model, [batch])
    expected = float(text_loss(model, batch).detach()) / 3
    assert result.loss == pytest.approx(expected)


def test_biases_and_norms_do_not_decay(model):
    optimizer = make_optimizer(model, TrainingArguments(weight_decay=0.1))
    decays = {id(weight): group["weight_decay"] for group in optimizer.param_groups for weight in group["params"]}
    for name, weight in model.named_parameters():
        assert decays[id(weight)] == (0.0 if "norm" in name or name.endswith("bias") else 0.1)
