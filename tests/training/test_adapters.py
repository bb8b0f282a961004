"""LoRA through the real peft: the names that people write for BERT, training, checkpoints, and a plain model at the end."""

import copy

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file

from headway.errors import ConfigError
from headway.neural.classes import model_class
from headway.neural.loading import load_model
from headway.settings.training import TrainingArguments
from headway.training import Trainer, loop

ROWS = [{"input_ids": [2, 5 + n % 7, 20 + n % 3, 3][: 3 + n % 2], "label": n % 2} for n in range(11)]
IDS = torch.tensor([[2, 5, 20, 3], [2, 9, 21, 3]])
SETTINGS = {"r": 3, "lora_alpha": 6, "lora_dropout": 0.0}
pytestmark = pytest.mark.filterwarnings("ignore:.*config.*:UserWarning")


@pytest.fixture
def folder(transformers_folder):
    return transformers_folder("BertForSequenceClassification", config={"num_labels": 2, "hidden_dropout_prob": 0.0})


def load(folder):
    return load_model(folder, head="sequence-classification", config=None, keywords={})


def adapted(folder, targets=("query", "value"), **given):
    torch.manual_seed(0)
    config = peft.LoraConfig(target_modules=targets if isinstance(targets, str) else list(targets), **SETTINGS | given)
    return peft.get_peft_model(load(folder), config)


def trainer(model, output, **settings):
    usual = {
        "max_steps": 6,
        "per_device_train_batch_size": 3,
        "learning_rate": 1e-2,
        "save_steps": 2,
        "bf16": False,
        "logging_steps": 2,
    }
    return Trainer(
        model, TrainingArguments(str(output), **usual | settings), train_dataset=ROWS, eval_dataset=ROWS, progress=False
    )


@pytest.mark.parametrize("targets", [("query", "value"), ("query", "key", "value", "out"), ("up", "down"), "all-linear"])
def test_adapters_stand_where_their_names_say_and_merge_into_a_plain_model(folder, targets, tmp_path):
    plain = load(folder).eval()
    before = plain(IDS).logits
    model = adapted(folder, targets).eval()
    assert torch.allclose(model(IDS).logits, before, atol=1e-6)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    changed = model(IDS).logits
    assert not torch.allclose(changed, before, atol=1e-2)
    for safe in (True, False):
        merged = copy.deepcopy(model).merge_and_unload(safe_merge=safe)
        assert torch.allclose(merged(IDS).logits, changed, atol=1e-4)
        merged.save_pretrained(tmp_path / str(safe))
        again = transformers.BertForSequenceClassification.from_pretrained(tmp_path / str(safe)).eval()
        assert torch.allclose(again(IDS).logits, changed, atol=1e-4)


def test_the_same_adapter_in_transformers_gives_the_same(folder, tmp_path):
    """Its matrices, as peft saved them here, under the names of the modules there."""
    ours = adapted(folder, init_lora_weights=False).eval()
    torch.manual_seed(0)
    theirs = transformers.BertForSequenceClassification.from_pretrained(folder)
    theirs = peft.get_peft_model(
        theirs, peft.LoraConfig(target_modules=["query", "value"], init_lora_weights=False, **SETTINGS)
    ).eval()
    weights = {name: weight for name, weight in ours.named_parameters() if "lora" in name}
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            if "lora" in name:
                here = name.replace("model.bert.encoder.layer", "model.layers").replace("attention.self", "attention.qkv")
                weight.copy_(weights.pop(here))
    assert not weights
    assert torch.allclose(ours(IDS).logits, theirs(IDS).logits, atol=1e-5)


def test_an_adapter_is_trained_alone_and_saved_alone(folder, tmp_path):
    model = adapted(folder, task_type="SEQ_CLS")
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    teacher = trainer(model, tmp_path, max_steps=40, save_strategy="no")
    first = teacher.evaluate()["eval_loss"]
    teacher.train()
    assert teacher.evaluate()["eval_loss"] < first
    changed = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == {name for name in before if "lora_" in name or "modules_to_save" in name}
    teacher.save_model()
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {path.name for path in tmp_path.iterdir()}
    assert not (tmp_path / "model.safetensors").exists()
    again = peft.PeftModel.from_pretrained(load(folder), tmp_path).eval()
    assert torch.allclose(again(IDS).logits, model.eval()(IDS).logits, atol=1e-6)


def test_an_interrupted_training_of_an_adapter_goes_on_bit_for_bit(folder, tmp_path, monkeypatch):
    real, steps = loop.train_step, []

    def interrupted(*arguments, **named):
        steps.append(None)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    trainer(adapted(folder, task_type="SEQ_CLS"), tmp_path / "whole").train()
    monkeypatch.setattr(loop, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer(adapted(folder, task_type="SEQ_CLS"), tmp_path / "cut").train()
    monkeypatch.undo()
    result = trainer(adapted(folder, task_type="SEQ_CLS"), tmp_path / "cut").train(resume_from_checkpoint=True)
    assert result.metrics["train_steps"] == 4
    for file in ("adapter_model.safetensors", "optimizer.safetensors"):
        found, expected = (load_file(tmp_path / name / "checkpoint-6" / file) for name in ("cut", "whole"))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_head_that_would_not_be_learnt_is_refused(tiny_config, tmp_path, folder):
    from headway.families import family

    config = family("roberta").config(**{"vocab_size": 101, "hidden_size": 28, "num_hidden_layers": 1, "num_attention_heads": 4})
    settings = {"target_modules": ["query"], "task_type": "SEQ_CLS", **SETTINGS}
    model = peft.get_peft_model(model_class("roberta", "sequence-classification")(config), peft.LoraConfig(**settings))
    with pytest.raises(ConfigError, match=r"pooler\.dense of the head would stay as they are.*modules_to_save=\['pooler'\]"):
        trainer(model, tmp_path)
    named = peft.LoraConfig(**settings, modules_to_save=["pooler"])
    trainer(
        peft.get_peft_model(model_class("roberta", "sequence-classification")(config), named), tmp_path / "named", max_steps=1
    ).train()


def test_the_best_adapter_is_the_result(folder, tmp_path):
    model = adapted(folder, task_type="SEQ_CLS")
    teacher = trainer(
        model, tmp_path, load_best_model_at_end=True, eval_strategy="steps", eval_steps=2, learning_rate=0.5, optim="sgd"
    )
    teacher.train()
    best = min((one for one in teacher.state.log_history if "eval_loss" in one), key=lambda one: one["eval_loss"])
    assert teacher.evaluate()["eval_loss"] == pytest.approx(best["eval_loss"], rel=1e-5)
