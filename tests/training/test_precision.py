"""float16 with scaled losses, and TensorFloat-32."""

import copy
import json
import math

import pytest
import torch
from safetensors.torch import load_file

from headway.core.batching import TokenSequence
from headway.errors import ConfigError
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training import Trainer, TrainerCallback
from headway.training.batch import text_batch, text_loss
from headway.training.loss_scale import LossScale
from headway.training.machine import use_tf32
from headway.training.optimiser import make_optimizer
from headway.training.step import mixed_precision, train_step

CPU = torch.device("cpu")
ROWS = [{"input_ids": [2, 5 + n % 7, 20 + n % 3, 3][: 3 + n % 2], "label": n % 2} for n in range(11)]


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    still = tiny_config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, num_labels=2)
    return AutoModelForSequenceClassification.from_config(still).train()


def step(model, scale, *, fp16=True, optim="sgd", factor=1.0):
    """One step of a copy of the model, whose loss is so many times as large; its result and weights."""
    model = copy.deepcopy(model)
    batch = text_batch([TokenSequence([5 + n] * n) for n in (3, 7, 2, 5)], [0, 1, 1, 0], device=CPU)
    result = train_step(
        model, [batch], loss_sum=lambda model, batch: text_loss(model, batch) * factor, max_grad_norm=1.0, scale=scale,
        optimizer=make_optimizer(model, TrainingArguments(optim=optim, learning_rate=0.01)),
        precision=mixed_precision(CPU, bf16=False, fp16=fp16),
    )  # fmt: skip
    return result, model.state_dict()


@pytest.mark.parametrize("optim", ["sgd", "adamw_torch_fused"])
def test_a_step_in_float16_is_that_of_float32_within_its_rounding(model, optim):
    expected, wanted = step(model, None, fp16=False, optim=optim)
    result, found = step(model, LossScale(CPU, {}), optim=optim)
    assert result.loss == pytest.approx(expected.loss, rel=2e-3)
    assert result.loss != expected.loss
    assert result.gradient_norm == pytest.approx(expected.gradient_norm, rel=2e-2)
    close = [(found[name] - weight).abs() < 1e-3 for name, weight in wanted.items()]
    # AdamW's first step is lr * sign(gradient), so a gradient of rounding size may go either way
    assert torch.cat([one.flatten() for one in close]).float().mean() > (0.999 if optim == "sgd" else 0.97)


@pytest.mark.parametrize("optim", ["sgd", "adamw_torch_fused"])
def test_gradients_too_large_for_float16_change_no_weight_and_halve_the_scale(model, optim):
    scale = LossScale(CPU, {})
    result, weights = step(model, scale, optim=optim, factor=1e6)
    assert not math.isfinite(result.gradient_norm)
    assert math.isfinite(result.loss)
    assert all(torch.equal(weights[name], weight) for name, weight in model.state_dict().items())
    assert scale.state()["scale"] == 2.0**15


def trainer(model, folder, **settings):
    usual = {"fp16": True, "max_steps": 8, "per_device_train_batch_size": 2, "save_steps": 3, "logging_steps": 2}
    arguments = TrainingArguments(str(folder), **usual | settings)
    return Trainer(copy.deepcopy(model), arguments, train_dataset=ROWS, eval_dataset=ROWS, progress=False)


def test_a_training_in_float16_goes_on_with_the_scale_that_it_had(model, tmp_path):
    class Dies(TrainerCallback):
        def on_step_begin(self, args, state, control, **given):
            if state.global_step == 4:
                raise KeyboardInterrupt

    whole, cut = trainer(model, tmp_path / "whole"), trainer(model, tmp_path / "cut")
    whole.train()
    cut.add_callback(Dies)
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    saved = json.loads((tmp_path / "cut" / "checkpoint-3" / "trainer_state.json").read_text())["loss_scale"]
    assert saved["_growth_tracker"] == 3
    again = trainer(model, tmp_path / "cut", resume_from_checkpoint=True)
    again.train()
    assert again.state.loss_scale == whole.state.loss_scale
    ours, theirs = (load_file(tmp_path / name / "checkpoint-8" / "model.safetensors") for name in ("cut", "whole"))
    assert all(torch.equal(weight, ours[name]) for name, weight in theirs.items())
    in_half = trainer(model, tmp_path / "half").evaluate()["eval_loss"]
    assert in_half == pytest.approx(trainer(model, tmp_path / "full", fp16=False, bf16=False).evaluate()["eval_loss"], rel=5e-3)


def test_a_step_that_was_left_out_does_not_hide_the_others_norms_in_the_log(model, tmp_path, monkeypatch):
    monkeypatch.setattr("headway.training.loss_scale.LossScale.scaled", too_large_once(LossScale.scaled))
    teacher = trainer(model, tmp_path, max_steps=2, save_strategy="no")
    teacher.train()
    (line,) = [entry for entry in teacher.state.log_history if "grad_norm" in entry]
    assert math.isfinite(line["grad_norm"])


def too_large_once(scaled):
    calls = []

    def call(self, loss):
        calls.append(None)
        return scaled(self, loss) * (math.inf if len(calls) == 2 else 1)  # the first only makes the factor

    return call


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bf16": True}, r"fp16 and bf16 are both on.* Leave fp16 out"),
        ({"fsdp": "full_shard"}, r"fp16 and fsdp='full_shard' are both asked for.* Use bf16=True"),
    ],
)
def test_what_float16_does_not_go_with_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        TrainingArguments(fp16=True, **given)


@pytest.mark.parametrize(("wanted", "expected"), [(True, "high"), (False, "highest"), (None, "medium")])
def test_tf32_is_torchs_precision_of_float32_products_on_gpus_that_have_it(wanted, expected, monkeypatch):
    set_to = ["medium"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    monkeypatch.setattr(torch, "set_float32_matmul_precision", set_to.append)
    assert use_tf32(wanted) == []
    assert set_to[-1] == expected


def test_tf32_is_said_to_have_no_effect_where_there_is_none(model, tmp_path, capsys):
    assert use_tf32(False) == use_tf32(None) == []
    arguments = TrainingArguments(str(tmp_path), tf32=True, max_steps=1, save_strategy="no", bf16=False)
    before = torch.get_float32_matmul_precision()
    Trainer(model, arguments, train_dataset=ROWS).train()
    assert capsys.readouterr().out.count("tf32 has no effect on this machine; NVIDIA's GPUs have it from Ampere on") == 1
    assert torch.get_float32_matmul_precision() == before
