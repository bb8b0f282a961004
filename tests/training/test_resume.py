"""Killed and started again, a run ends where an uninterrupted one does, bit for bit."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from safetensors.numpy import load_file

from headway.cli.commands.pretrain import COMMAND
from headway.errors import CheckpointError, ConfigError
from headway.settings.pretraining import PretrainSettings
from headway.settings.training import TrainSettings
from headway.training.checkpoints import newest_state, states_in
from headway.training.finetuning import fine_tune
from headway.training.pretraining import pretrain

SMALL = {
    "family": "bert", "hidden_size": 28, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 37,
    "max_length": 29, "tokens_per_batch": 131, "max_steps": 14, "save_steps": 3, "logging_steps": 2, "held_out": 0.1,
    "eval_strategy": "steps", "eval_steps": 4,
    "dropout": 0.1, "bf16": False, "gradient_accumulation_steps": 2,
}  # fmt: skip


def settings_for(output, text_file, tokenizer_folder, **changes):
    return PretrainSettings(files=(str(text_file),), tokenizer=str(tokenizer_folder), output_dir=str(output), **SMALL | changes)


def log_of(folder):
    """The log without what depends on the clock."""
    lines = (json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if name != "tokens_per_second"} for line in lines]


def assert_same_result(found, expected):
    for name in ("model.safetensors", "checkpoint-14/optimizer.safetensors"):
        ours, theirs = load_file(found / name), load_file(expected / name)
        assert ours.keys() == theirs.keys()
        for weight, array in theirs.items():
            assert (ours[weight] == array).all(), weight
    assert log_of(found) == log_of(expected)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, text_file, tokenizer_folder):
    folder = tmp_path_factory.mktemp("whole")
    pretrain(settings_for(folder, text_file, tokenizer_folder), progress=False)
    return folder


def test_a_pre_training_that_had_ended_says_so_and_where_its_model_is(
    uninterrupted, text_file, tokenizer_folder, tmp_path, capsys
):
    settings = settings_for(uninterrupted, text_file, tokenizer_folder)
    before = (uninterrupted / "model.safetensors").read_bytes()
    COMMAND.run(settings)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("Nothing was left to learn: this pre-training ended before, after 14 steps. Its encoder is in ")
    assert str(uninterrupted) in said
    assert "nan" not in said
    assert (uninterrupted / "model.safetensors").read_bytes() == before


def test_text_can_be_tokenised_first_and_learnt_by_another_run(uninterrupted, text_file, tokenizer_folder, tmp_path, capsys):
    COMMAND.run(replace(settings_for(tmp_path / "first", text_file, tokenizer_folder), tokenize_only=True))
    tokens = tmp_path / "first" / "tokens"
    said = capsys.readouterr().out
    assert said.startswith("Wrote ")
    assert f" tokens of 67 documents to {tokens}. Next: headway pretrain {tokens} --tokenizer " in said
    assert not (tmp_path / "first" / "model.safetensors").exists()
    pretrain(settings_for(tmp_path / "second", tokens, tokenizer_folder), progress=False)
    assert (tmp_path / "second" / "model.safetensors").read_bytes() == (uninterrupted / "model.safetensors").read_bytes()


KILLED = """
import os, signal, sys
from headway.settings.pretraining import PretrainSettings
from headway.training import checkpoints, loop, pretraining
import headway.training.step as step
steps, real = 0, loop.train_step
def counted(*arguments, **named):
    global steps
    steps += 1
    if steps == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)
loop.train_step = counted
pretraining.pretrain(PretrainSettings.from_json(sys.argv[1]), progress=False)
"""


def test_killed_twice_and_resumed_pre_training_is_bit_equal(tmp_path, text_file, tokenizer_folder, uninterrupted):
    settings = settings_for(tmp_path / "run", text_file, tokenizer_folder)
    (tmp_path / "settings.json").write_text(json.dumps(settings.to_dict()))
    for steps in (5, 6):  # after the checkpoints of step 3 and, resumed, of step 6
        killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "settings.json"), str(steps)], timeout=600)
        assert killed.returncode == -signal.SIGKILL
    assert newest_state(tmp_path / "run").name == "checkpoint-6"
    pretrain(settings, progress=False)
    assert_same_result(tmp_path / "run", uninterrupted)


def test_killed_while_tokenising_leaves_nothing_that_the_next_run_would_read(
    tmp_path, text_file, tokenizer_folder, uninterrupted
):
    script = KILLED.replace(
        "loop.train_step = counted",
        "import headway.training.corpus as corpus; corpus._write_documents = lambda *a: os.kill(os.getpid(), 9)",
    )
    settings = settings_for(tmp_path / "run", text_file, tokenizer_folder)
    (tmp_path / "settings.json").write_text(json.dumps(settings.to_dict()))
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "settings.json"), "1"], timeout=600)
    assert killed.returncode == -signal.SIGKILL
    pretrain(settings, progress=False)
    assert_same_result(tmp_path / "run", uninterrupted)
    assert len(list((tmp_path / "run" / "tokens").iterdir())) == 1


def fine_tuning(folder, model, labelled_file, **changes):
    return TrainSettings(
        output_dir=str(folder), model=str(model), train=str(labelled_file), num_train_epochs=3, per_device_train_batch_size=5,
        save_steps=11, logging_steps=7, eval_strategy="no", bf16=False, learning_rate=1e-3, **changes,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*new:UserWarning", "ignore:.*made anew:UserWarning")
def test_fine_tuning_resumes_in_the_middle_of_an_epoch_bit_for_bit(tmp_path, labelled_file, uninterrupted):
    fine_tune(fine_tuning(tmp_path / "whole", uninterrupted, labelled_file), progress=False)
    script = (
        KILLED.replace("PretrainSettings.from_json(sys.argv[1])", "TrainSettings.from_json(sys.argv[1])")
        .replace("pretraining.pretrain(", "finetuning.fine_tune(")
        .replace(
            "from headway.settings.pretraining import PretrainSettings", "from headway.settings.training import TrainSettings"
        )
        .replace("checkpoints, loop, pretraining", "checkpoints, finetuning, loop")
    )
    settings = fine_tuning(tmp_path / "run", uninterrupted, labelled_file)
    (tmp_path / "settings.json").write_text(json.dumps(settings.to_dict()))
    killed = subprocess.run([sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "settings.json"), "26"], timeout=600)
    assert killed.returncode == -signal.SIGKILL
    assert newest_state(tmp_path / "run").name == "checkpoint-22"  # an epoch has 17 steps
    fine_tune(settings, progress=False)
    found, expected = (load_file(tmp_path / name / "model.safetensors") for name in ("run", "whole"))
    assert all((found[name] == expected[name]).all() for name in expected)


def test_other_settings_or_other_text_are_not_resumed(tmp_path, text_file, tokenizer_folder, uninterrupted):
    with pytest.raises(ConfigError, match=r"learning_rate was 0.001 and is 0.01.*choose another output folder"):
        pretrain(settings_for(uninterrupted, text_file, tokenizer_folder, learning_rate=0.01), progress=False)
    other = tmp_path / "other.txt"
    other.write_text(text_file.read_text() + "\nthe room was warm and warm and warm .\n")
    with pytest.raises(ConfigError, match="text was"):
        pretrain(settings_for(uninterrupted, other, tokenizer_folder), progress=False)


def test_a_damaged_checkpoint_is_named_and_the_remedy_given(tmp_path, text_file, tokenizer_folder):
    settings = settings_for(tmp_path, text_file, tokenizer_folder, max_steps=3)
    pretrain(settings, progress=False)
    state = tmp_path / "checkpoint-3" / "optimizer.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"checkpoint-3 cannot be resumed from.*Remove the folder"):
        pretrain(settings, progress=False)


def test_only_the_newest_checkpoints_are_kept(uninterrupted):
    assert [folder.name for folder in states_in(uninterrupted)] == ["checkpoint-12", "checkpoint-14"]


def test_a_finished_run_started_again_ends_at_once(text_file, tokenizer_folder, uninterrupted):
    before = (uninterrupted / "model.safetensors").read_bytes()
    result = pretrain(settings_for(uninterrupted, text_file, tokenizer_folder), progress=False)
    assert result.global_step == 14
    assert result.metrics["train_steps"] == 0
    assert (uninterrupted / "model.safetensors").read_bytes() == before
    assert os.path.exists(uninterrupted / "tokenizer.json")
