"""What pre-training says before its first step, and what it leaves: a folder that repeats it, and a card."""

import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from torch.utils.flop_counter import FlopCounterMode

from headway import pipeline
from headway.cli._flags import parse
from headway.cli.commands import pretrain as command
from headway.core.batching import TokenSequence
from headway.neural.packing import pack
from headway.settings.pretraining import PretrainSettings
from headway.text import Tokenizer
from headway.training.batch import Batch, step_operations
from headway.training.checkpoints import TrainerState
from headway.training.pretraining import pretrain, trained_model
from headway.training.pretraining_objective import find_objective
from headway.training.pretraining_start import (
    Work,
    advice_at_start,
    longest_texts,
    needed,
    said_of_work,
    scores_bytes,
    span,
    work_of,
)
from headway.training.reporting import Reporter

SMALL = (
    "--family bert --hidden-size 28 --num-hidden-layers 2 --num-attention-heads 4 --max-position-embeddings 37 --max-length 29 "
    "--tokens-per-batch 151 --max-steps 3 --logging-steps 1 --held-out 0.15 --no-bf16"
).split()
ELECTRA = {"objective": "replaced-token", "family": "electra", "model_settings": ("embedding_size=13",)}
SIZES = {
    "hidden_size": 28, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 37, "max_length": 29,
    "tokens_per_batch": 151, "max_steps": 3, "bf16": False, "held_out": 0.15,
}  # fmt: skip


@pytest.fixture(scope="module")
def words(tmp_path_factory, text_file, tokenizer_folder):
    """A command line, with two files."""
    folder = tmp_path_factory.mktemp("record")
    second = folder / "second.txt"
    second.write_text("the good good room was bad and dull .\n\n" * 11)
    return [str(text_file), str(second), "--tokenizer", str(tokenizer_folder), "--output-dir", str(folder / "encoder"), *SMALL]


@pytest.fixture(scope="module")
def folder(words, tmp_path_factory):
    settings = parse(command.COMMAND, words, program="headway pretrain")
    pretrain(settings, progress=False)
    return tmp_path_factory.getbasetemp() / settings.output_dir


def test_the_settings_repeat_the_run(words, folder, tmp_path):
    config = ["--config", str(folder / "settings.toml"), "--output-dir", str(tmp_path)]
    again = parse(command.COMMAND, config, program="headway pretrain")
    assert again == parse(command.COMMAND, [*words, "--output-dir", str(tmp_path)], program="headway pretrain")
    assert "headway pretrain --config settings.toml" in (folder / "settings.toml").read_text(encoding="utf-8").splitlines()[0]


def test_figures_and_data_are_those_of_the_run(words, folder, text_file):
    read = lambda name: json.loads((folder / name).read_text(encoding="utf-8"))  # noqa: E731
    metrics, data = read("metrics.json"), read("data.json")["text"]
    assert metrics["training"]["steps"] == 3
    assert metrics["scores"].keys() == {"loss", "accuracy"}
    assert metrics["scores"]["loss"] == pytest.approx(math.log(97), abs=0.3)
    assert [one["documents"] for one in data["files"]] == [67, 11]
    assert data["files"][0]["sha256"] == hashlib.sha256(text_file.read_bytes()).hexdigest()
    assert (data["rows"], data["tokens"]) == (78, sum(one["tokens"] for one in data["files"]))
    assert {"torch", "processor"} <= read("environment.json").keys()
    assert (folder / "curves.png").is_file()


def test_the_card_says_what_the_encoder_is_and_the_pipeline_answers_as_it_says(folder):
    found = ModelCard.load(folder / "README.md")
    tokens = json.loads((folder / "data.json").read_text(encoding="utf-8"))["text"]["tokens"]
    assert found.data.pipeline_tag == "fill-mask"
    assert {result.metric_type for result in found.data.eval_results} == {"loss", "accuracy"}
    for said in (
        f"pre-trained with the objective masked-lm on {tokens:,} tokens of text.",
        "| text | 2 files | 78 |",
        "| documents |",
        "| tokens_per_batch | 151 |",
        "headway pretrain --config settings.toml --output-dir ANOTHER",
        "Measured on held-out data.",
        'pipeline("fill-mask", model="encoder")',
    ):
        assert said in found.text, said
    assert "per_device_train_batch_size" not in found.text
    assert str(folder) not in found.text
    assert pipeline("fill-mask", model=folder)("the film was [MASK] .")[0]["score"] > 0


def test_a_discriminators_card_says_how_to_go_on(tmp_path, text_file, tokenizer_folder):
    settings = PretrainSettings(
        files=(str(text_file),), tokenizer=str(tokenizer_folder), output_dir=str(tmp_path / "electra"), **SIZES | ELECTRA
    )
    pretrain(settings, progress=False)
    text = (tmp_path / "electra" / "README.md").read_text(encoding="utf-8")
    assert "It answers nothing yet: it is what fine-tuning begins with." in text
    assert "$ headway train --model electra --train FILE --output-dir ANOTHER" in text
    assert "- replaced-token-detection" in text
    assert "| text | text.txt | 67 |" in text
    assert command.next_command(settings).startswith("headway train --model ")


def test_the_command_says_before_the_first_step_what_is_needed_and_at_the_end_what_was_found(words, tmp_path, capsys):
    settings = parse(command.COMMAND, [*words, "--output-dir", str(tmp_path / "my encoder")], program="headway pretrain")
    command.run(settings)
    out = capsys.readouterr().out
    assert out.startswith("Memory: about 0.")
    assert "(loss 4." in out
    assert "; on held-out text loss 4." in out
    assert f"Next: headway train --model '{tmp_path / 'my encoder'}' --train FILE --output-dir ANOTHER" in out


def model_of(tokenizer_folder, **changes):
    settings = PretrainSettings(files=("a",), tokenizer=str(tokenizer_folder), output_dir="o", **SIZES | changes)
    objective = find_objective(settings.objective)
    return trained_model(settings, objective, Tokenizer.from_pretrained(tokenizer_folder)), objective, settings


def test_inherited_settings_hold_for_pre_training_too(tokenizer_folder):
    model, _, _ = model_of(tokenizer_folder, freeze=("embeddings",), gradient_checkpointing=True, family="bert")
    frozen = {name.split(".")[0] for name, weight in model.named_parameters() if not weight.requires_grad}
    assert frozen == {"embeddings"}
    assert model.gradient_checkpointing


LENGTHS = np.array([29, 29, 17, 11, 29, 23])


def test_a_batch_holds_the_longest_texts_that_fit():
    assert longest_texts(LENGTHS, 80) == [29, 29]
    assert longest_texts(LENGTHS, 87) == [29, 29, 29]
    assert longest_texts(LENGTHS, 5) == [29]
    assert longest_texts(LENGTHS, 5000) == [29, 29, 29, 23, 17, 11]


def test_memory_counts_both_encoders_and_the_scores_of_the_vocabulary(tokenizer_folder):
    model, objective, settings = model_of(tokenizer_folder, **ELECTRA)
    found = needed(model, objective, LENGTHS, settings, low=False)
    trained = sum(weight.numel() for weight in model.parameters())
    assert found.weights == found.gradients == 4 * trained
    assert found.optimizer == 8 * trained
    assert scores_bytes(model.generator.architecture, model.device) == 4 * (2 * (1 << 22) + 97 * 13)
    assert scores_bytes(model.discriminator.architecture, model.device) == 0
    plain, masked, _ = model_of(tokenizer_folder, family="electra", model_settings=ELECTRA["model_settings"])
    alone = needed(plain, masked, LENGTHS, settings, low=False)
    assert found.activations > alone.activations
    twice = needed(model, objective, np.tile(LENGTHS, 9), settings, low=False, batches=2)
    assert twice.activations > found.activations


def test_the_work_of_a_step_is_counted_from_some_of_the_texts(tokenizer_folder):
    model, objective, settings = model_of(tokenizer_folder, family="bert", gradient_accumulation_steps=5)
    work = work_of(model, objective, LENGTHS, settings, peak=7.0)
    assert (work.steps, work.tokens, work.peak) == (3, 3 * 5 * 151, 7.0)
    whole = objective.operations(model, LENGTHS.tolist(), round(0.15 * LENGTHS.sum()))
    assert work.operations == pytest.approx(whole / LENGTHS.sum() * work.tokens)
    by_epochs = work_of(model, objective, LENGTHS, replace(settings, max_steps=-1), peak=7.0)
    assert by_epochs.tokens == 3 * LENGTHS.sum()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(59, None), (61, "at least 1.0 minutes"), (5399, "90 minutes"), (5400, "1.5 hours"), (2e6, "23 days"), (1e9, "32 years")],
)
def test_a_time_is_said_in_words_where_it_is_worth_it(seconds, said):
    lines = said_of_work(Work(steps=7, tokens=1234.0, operations=seconds * 2e11, peak=2e11), precision="fp32")
    assert len(lines) == (said is not None)
    if said:
        assert said in lines[0]
        assert lines[0].startswith("Time: 1,234 tokens in 7 steps take at least ")
        assert "200 GFLOP/s that this machine's matrix products reach in fp32" in lines[0]
    assert span(86400 * 1.6) == "1.6 days"


def test_small_batches_that_memory_holds_at_once_are_said(tokenizer_folder, monkeypatch):
    monkeypatch.setattr("headway.training.pretraining_start.matrix_product_peak", lambda device, half: 1e12)
    monkeypatch.setattr("headway.training.pretraining_start.available", lambda device: 64e9)
    model, objective, settings = model_of(tokenizer_folder, family="bert", gradient_accumulation_steps=4)
    lines = advice_at_start(model, objective, LENGTHS, settings)
    assert lines[0].startswith("Memory: about 0.")
    assert lines[-1].startswith(
        "Batches: 4 batches of 151 tokens are accumulated, but memory holds them at once. tokens_per_batch=604"
    )
    monkeypatch.setattr("headway.training.pretraining_start.available", lambda device: 1e6)
    tight = advice_at_start(model, objective, LENGTHS, settings)
    assert "Use a smaller tokens_per_batch" in tight[0] or "optim='adafactor'" in tight[0]
    assert not any(line.startswith("Batches") for line in tight)


def test_the_generators_work_counts_as_torch_counts_it(tokenizer_folder):
    """One text, forward alone: the generator for its masked tokens twice over the vocabulary, the discriminator for all."""
    model, objective, _ = model_of(tokenizer_folder, **ELECTRA)
    ids = [2, *range(5, 30), 3]
    packed = pack([TokenSequence(ids)])
    batch = Batch(packed, torch.tensor([3, 7, 11, 20]), torch.tensor([9, 8, 7, 6]))
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    count = lambda query, key, *rest, **more: 4 * query[0] * query[1] * query[2] * key[2] * query[3]  # noqa: E731
    model.eval().requires_grad_(requires_grad=False)  # else the loss makes its gradients on the way forward
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping={fused: count}) as counter:
        objective.loss_sum(model, batch)
    forward = counter.get_total_flops()
    drawn = 2 * 4 * (13 * model.generator.config.hidden_size + 97 * 13)
    assert objective.operations(model, [len(ids)], 4) == 3 * (forward - drawn) + drawn


def test_the_share_of_the_peak_is_that_of_both_encoders(tmp_path, tokenizer_folder):
    model, objective, _ = model_of(tokenizer_folder, **ELECTRA)
    reporter = Reporter(tmp_path, progress=False, operations=objective.operations)
    reporter.begin(TrainerState(), total=1, resumed=None, model=model)
    batch = Batch(pack([TokenSequence([2, 5, 6, 7, 3]), TokenSequence([2, 8, 3])]), torch.tensor([1, 6]), torch.tensor([9, 8]))
    assert reporter._cost(batch) == objective.operations(model, [5, 3], 2)
    assert reporter._cost(batch) > step_operations(model.discriminator, [5, 3], 8)
