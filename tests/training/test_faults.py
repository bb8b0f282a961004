"""Signals, damaged files and disks that take no more: training says what happened, and loses nothing that it had."""

import os
import resource
import signal

import pytest
from safetensors.numpy import load_file

from headway.errors import CheckpointError
from headway.settings.pretraining import PretrainSettings
from headway.settings.training import TrainingArguments
from headway.training import loop
from headway.training.checkpoints import TrainerState, newest_state, states_in
from headway.training.interruptions import Interruptions
from headway.training.pretraining import pretrain
from headway.training.reporting import Reporter
from headway.training.soundness import damage

SMALL = {
    "family": "bert", "held_out": 0.1,
    "hidden_size": 28, "num_hidden_layers": 1, "num_attention_heads": 4, "max_position_embeddings": 37, "max_length": 29,
    "tokens_per_batch": 131, "max_steps": 11, "save_steps": 3, "logging_steps": 2, "save_total_limit": 3,
    "dropout": 0.1, "bf16": False, "gradient_accumulation_steps": 2,
}  # fmt: skip


@pytest.fixture
def settings(tmp_path, text_file, tokenizer_folder):
    def make(folder="run", **changes):
        return PretrainSettings(
            files=(str(text_file),), tokenizer=str(tokenizer_folder), output_dir=str(tmp_path / folder), **SMALL | changes
        )

    return make


@pytest.fixture
def during_step(monkeypatch):
    """``during_step(5, act)``: have ``act`` done while the fifth step from now is under way."""
    real = loop.train_step

    def plan(number, act, until=None):
        steps = 0

        def counted(*arguments, **named):
            nonlocal steps
            steps += 1
            if steps == number:
                act()
            if steps == until:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            return real(*arguments, **named)

        monkeypatch.setattr(loop, "train_step", counted)

    return plan


@pytest.fixture
def small_disk():
    """Files may have no more than 20 kB, less than a checkpoint's."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def send(number):
    return lambda: os.kill(os.getpid(), number)


def weights(folder):
    return load_file(folder / "model.safetensors")


@pytest.fixture
def ctrl_c():
    """Python's own answer to Ctrl-C, also where the tests run in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_sigterm_and_ctrl_c_save_first_and_the_run_goes_on_bit_for_bit(settings, tmp_path, during_step, capsys, ctrl_c):
    pretrain(settings("whole"), progress=False)
    during_step(4, send(signal.SIGTERM))
    with pytest.raises(SystemExit) as stopped:
        pretrain(settings(), progress=False)
    assert stopped.value.code == 143
    said = f"Stopped by SIGTERM after step 4 of 11. The same run started again goes on from {tmp_path / 'run' / 'checkpoint-4'}."
    assert said in capsys.readouterr().err
    during_step(3, send(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt, match="Stopped by SIGINT after step 7 of 11"):
        pretrain(settings(), progress=False)
    assert newest_state(tmp_path / "run").name == "checkpoint-7"
    pretrain(settings(), progress=False)
    found, expected = weights(tmp_path / "run"), weights(tmp_path / "whole")
    assert all((found[name] == expected[name]).all() for name in expected)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_time_that_is_up_saves_first_and_the_run_goes_on_bit_for_bit(settings, tmp_path, during_step, capsys, monkeypatch):
    pretrain(settings("whole"), progress=False)
    minutes, now = [], [100.0]
    real = Interruptions.__init__

    def counted(self, limit):
        minutes.append(limit)
        real(self, limit, clock=lambda: now[0])

    monkeypatch.setattr(Interruptions, "__init__", counted)
    during_step(4, lambda: now.__setitem__(0, 100.0 + 60 * 8.5))
    with pytest.raises(SystemExit) as stopped:
        pretrain(settings(max_minutes=8.5), progress=False)
    assert stopped.value.code == 75
    said = "Stopped by max_minutes=8.5 after step 4 of 11. The same run started again goes on from "
    assert f"{said}{tmp_path / 'run' / 'checkpoint-4'}." in capsys.readouterr().err
    assert not (tmp_path / "run" / "model.safetensors").exists()
    pretrain(settings(max_minutes=7), progress=False)  # how long it takes decides nothing else
    assert minutes == [8.5, 7]
    found, expected = weights(tmp_path / "run"), weights(tmp_path / "whole")
    assert all((found[name] == expected[name]).all() for name in expected)


def test_a_run_that_ends_in_time_just_ends(settings, tmp_path):
    assert pretrain(settings(max_minutes=60, max_steps=3, save_steps=2), progress=False).global_step == 3
    assert Interruptions(1, clock=iter([0.0, 59.0]).__next__).heard == 0
    assert Interruptions(1, clock=iter([0.0, 60.0]).__next__).heard == 75


def test_without_a_save_strategy_a_signal_saves_nothing_and_says_so(settings, tmp_path, during_step, capsys):
    during_step(2, send(signal.SIGTERM))
    with pytest.raises(SystemExit):
        pretrain(settings(save_strategy="no"), progress=False)
    assert "Nothing was saved, because save_strategy is 'no'" in capsys.readouterr().err
    assert not states_in(tmp_path / "run")


def test_a_signal_that_is_ignored_stays_so(ctrl_c):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruptions() as interruptions:
        os.kill(os.getpid(), signal.SIGINT)
        assert not interruptions.heard


def test_a_second_ctrl_c_is_not_held_back(ctrl_c):
    with Interruptions() as interruptions:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruptions.heard == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_damaged_checkpoint_is_passed_over_and_the_run_ends_where_it_would_have(settings, tmp_path):
    pretrain(settings(), progress=False)
    expected = weights(tmp_path / "run")
    for name in ("checkpoint-11", "checkpoint-9"):
        file = tmp_path / "run" / name / "model.safetensors"
        content = bytearray(file.read_bytes())
        content[-5] ^= 1  # a single bit, which no reader would notice
        file.write_bytes(content)
    with pytest.warns(
        UserWarning,
        match=r"checkpoint-11 is damaged: model.safetensors is not what was written.*checkpoint-9 is "
        r"damaged.*Going on from .*checkpoint-6, the newest that is whole",
    ):
        pretrain(settings(), progress=False)
    assert all((weights(tmp_path / "run")[name] == expected[name]).all() for name in expected)
    assert [damage(folder) for folder in states_in(tmp_path / "run")] == [None, None, None]
    (tmp_path / "run" / "checkpoint-11" / "optimizer.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"checkpoint-11 cannot be resumed from: optimizer.safetensors is missing. Remove"):
        pretrain(settings(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-11")), progress=False)


def test_a_full_disk_costs_a_checkpoint_and_not_the_run(settings, tmp_path, during_step, small_disk):
    during_step(5, small_disk, until=7)  # the checkpoint of step 6 falls between
    with pytest.warns(
        UserWarning,
        match=r"checkpoint-6 could not be written \(.*File too large.*; the last one there is "
        r".*checkpoint-3\. Training goes on, and the next checkpoint is tried when it is due\. Free space",
    ):
        pretrain(settings(), progress=False)
    assert [folder.name for folder in states_in(tmp_path / "run")] == ["checkpoint-3", "checkpoint-9", "checkpoint-11"]
    assert not [file for file in (tmp_path / "run").iterdir() if file.name.endswith(".part")]


@pytest.mark.filterwarnings("ignore:.*could not be written.*Training goes on:UserWarning")
def test_a_last_checkpoint_that_cannot_be_written_is_an_error_and_the_one_before_is_kept(
    settings, tmp_path, during_step, small_disk
):
    during_step(10, small_disk)
    with pytest.raises(
        CheckpointError,
        match=r"Training has ended, but .*checkpoint-11 could not be written.*the last one there is "
        r".*checkpoint-9.*save it to another folder",
    ):
        pretrain(settings(), progress=False)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert pretrain(settings(), progress=False).metrics["train_steps"] == 2


def test_a_log_that_cannot_be_written_does_not_end_the_run_and_is_whole_afterwards(tmp_path):
    reporter, state = Reporter(tmp_path / "run", progress=False), TrainerState(global_step=1)
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match=r"log.jsonl could not be written .*Training goes on, and the next line"):
        reporter.log(state, {"loss": 3.0})
    (tmp_path / "run").unlink()
    reporter.log(state, {"loss": 2.0})
    assert (tmp_path / "run" / "log.jsonl").read_text().splitlines() == ['{"step": 1, "loss": 3.0}', '{"step": 1, "loss": 2.0}']


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_first_step(tmp_path, during_step):
    (tmp_path / "file").write_text("")
    arguments = TrainingArguments(str(tmp_path / "file" / "run"))
    with pytest.raises(CheckpointError, match=r"output_dir is .*file/run', which cannot be written to.*give another folder"):
        loop.train(None, arguments, None)
