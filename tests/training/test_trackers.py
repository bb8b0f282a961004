"""Figures for TensorBoard, read back with its own reader; for the others, as a stand-in for their package received them."""

import sys
from types import SimpleNamespace

import pytest
import torch

from headway.errors import ConfigError, MissingExtraError
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training import Trainer
from headway.training.trackers import TensorBoardCallback, tracked, trackers

ROWS = [{"input_ids": [2, 5 + n % 7, 20 + n % 3, 3][: 3 + n % 2], "label": n % 2} for n in range(11)]
SETTINGS = {"max_steps": 4, "logging_steps": 2, "eval_strategy": "steps", "bf16": False, "save_strategy": "no"}


class Stub:
    """A package's functions that remember how they were called."""

    def __init__(self):
        self.calls, self.run = [], None
        self.__spec__ = SimpleNamespace()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*given, **named):
            self.calls.append((name, given, named))
            self.run = {"init": object(), "start_run": object(), "end_run": None}.get(name, self.run)
            return self.run

        return call


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=2))


def trained(model, folder, **settings):
    arguments = TrainingArguments(str(folder), **SETTINGS | settings)
    teacher = Trainer(model, arguments, train_dataset=ROWS, eval_dataset=ROWS, progress=False)
    teacher.train()
    return teacher.state.log_history


def test_tensorboards_own_reader_finds_every_figure(model, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = trained(model, tmp_path, report_to="tensorboard")
    reader = EventAccumulator(str(tmp_path / "runs")).Reload()
    for line in history:
        for name, value in tracked(line).items():
            assert (line["step"], pytest.approx(value, rel=1e-6)) in [(one.step, one.value) for one in reader.Scalars(name)]
    assert {"train/loss", "eval/accuracy"} <= set(reader.Tags()["scalars"])
    assert "arguments/text_summary" in reader.Tags()["tensors"]


@pytest.mark.parametrize(("package", "begin", "log"), [("wandb", "init", "log"), ("mlflow", "start_run", "log_metrics")])
def test_a_run_is_begun_and_gets_every_line_of_the_log(model, tmp_path, monkeypatch, package, begin, log):
    stub = Stub()
    if package == "mlflow":
        stub.active_run = lambda: stub.run
    monkeypatch.setitem(sys.modules, package, stub)
    history = trained(model, tmp_path, report_to=package, run_name="first try")
    names = [name for name, _, _ in stub.calls]
    assert names[0] == begin
    assert "first try" in stub.calls[0][2].values()
    assert [(given[0], named["step"]) for name, given, named in stub.calls if name == log] == [
        (tracked(line), line["step"]) for line in history
    ]
    assert ("end_run" in names) == (package == "mlflow")


def test_all_means_what_is_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name == "tensorboard" else None)
    assert [type(found) for found in trackers(TrainingArguments(report_to="all"))] == [TensorBoardCallback]
    assert trackers(TrainingArguments(report_to=("none",))) == []
    with pytest.raises(MissingExtraError, match=r"report_to='wandb' needs the package 'wandb', .* pip install wandb"):
        trackers(TrainingArguments(report_to=["wandb"]))


def test_an_unknown_place_is_refused():
    with pytest.raises(ConfigError, match=r"report_to has 'neptune', which is not known here. Use none, all, tensorboard, wandb"):
        TrainingArguments(report_to="neptune")
