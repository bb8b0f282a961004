"""A learning rate that falls when evaluations get no better, as torch and transformers' Trainer have it."""

import json

import pytest
import torch
import transformers

from headway.errors import ConfigError
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training import Trainer, TrainerCallback
from headway.training.plateau import Plateau

ROWS = [{"input_ids": [2, 5 + n % 7, 3], "attention_mask": [1] * 3, "label": n % 2} for n in range(11)]
QUALITY = [0.5, 0.6, 0.6, 0.55, 0.7, 0.6, 0.6, 0.6, 0.6, 0.71, 0.3, 0.3]
SETTINGS = {"lr_scheduler_type": "reduce_lr_on_plateau", "eval_strategy": "steps", "learning_rate": 0.01}


class Scores:
    """A metric that is given, one value an evaluation."""

    def __init__(self, values):
        self.values = list(values)

    def __call__(self, found):
        return {"quality": self.values.pop(0)}


def arguments(folder="out", **settings):
    return TrainingArguments(str(folder), **{**SETTINGS, "metric_for_best_model": "quality", **settings})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"factor": 0.5, "patience": 1},
        {"factor": 0.3, "patience": 0, "cooldown": 2},
        {"factor": 0.1, "patience": 0, "min_lr": 0.002},
        {"patience": 1, "threshold": 0.05, "threshold_mode": "abs"},
        {"mode": "min", "patience": 1},
    ],
)
def test_rates_are_those_of_torchs_scheduler(given):
    ours = Plateau(arguments(lr_scheduler_kwargs=given), {})
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.01)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **{"mode": "max", **given})
    for value in QUALITY:
        ours.take(value)
        theirs.step(value)
        assert ours.rate() == optimizer.param_groups[0]["lr"]
        kept = json.loads(json.dumps(ours.state()))
        ours = Plateau(arguments(lr_scheduler_kwargs=given), kept)  # as a resumed run has it


@pytest.mark.parametrize(
    ("settings", "rate"),
    [
        ({"metric_for_best_model": None}, 0.001),
        ({"metric_for_best_model": "quality"}, 0.01),
        ({"metric_for_best_model": "error", "greater_is_better": False}, 0.001),
    ],
)
def test_better_is_what_the_best_model_has_more_or_less_of(settings, rate):
    rising = Plateau(arguments(lr_scheduler_kwargs={"patience": 0}, **settings), {})
    for value in (0.3, 0.5, 0.7):
        before = rising.rate()
        rising.take(value)
    assert before == pytest.approx(rate)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_cycles": 2}, r"'num_cycles', which is no setting of the schedule 'reduce_lr_on_plateau'.* mode, factor, patience"),
        ({"factor": 2.0}, r"cannot be had with mode='max', factor=2\.0: Factor should be < 1\.0\. Correct lr_scheduler_kwargs"),
        ({"mode": "best"}, r"cannot be had with mode='best'"),
    ],
)
def test_settings_that_it_does_not_have_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Plateau(arguments(lr_scheduler_kwargs=settings), {})


def test_it_needs_evaluations():
    with pytest.raises(ConfigError, match=r"eval_strategy is 'no', so the learning rate would never fall\. Use eval_strategy="):
        arguments(eval_strategy="no")


@pytest.fixture
def train(tiny_config, tmp_path):
    def run(name, *, values=QUALITY, callbacks=(), **settings):
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=2))
        usual = {"lr_scheduler_kwargs": {"factor": 0.5, "patience": 1, "mode": "max"}, "eval_steps": 2, "logging_steps": 1}
        usual |= {"max_steps": 20, "save_steps": 6, "bf16": False, "per_device_train_batch_size": 2}
        trainer = Trainer(
            model, arguments(tmp_path / name, **usual | settings), train_dataset=ROWS, eval_dataset=ROWS, progress=False,
            compute_metrics=Scores(values), callbacks=callbacks,
        )  # fmt: skip
        trainer.train()
        return trainer

    return run


def rates(history):
    return [entry["learning_rate"] for entry in history if "learning_rate" in entry]


def test_the_rate_falls_at_the_steps_at_which_it_falls_in_transformers(train, tmp_path):
    theirs = transformers.TrainingArguments(
        str(tmp_path / "theirs"), **SETTINGS, metric_for_best_model="quality", eval_steps=2, logging_steps=1, max_steps=20,
        lr_scheduler_kwargs={"factor": 0.5, "patience": 1, "mode": "max"}, per_device_train_batch_size=2, save_strategy="no",
        report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    config = transformers.BertConfig(vocab_size=101, hidden_size=28, num_hidden_layers=1, num_attention_heads=4)
    reference = transformers.Trainer(
        transformers.BertForSequenceClassification(config), theirs, train_dataset=ROWS, eval_dataset=ROWS,
        compute_metrics=Scores(QUALITY),
    )  # fmt: skip
    reference.train()
    found, expected = rates(train("ours").state.log_history), rates(reference.state.log_history)
    assert len(set(found)) == 4
    assert found == pytest.approx(expected)


def test_an_evaluation_before_the_first_step_decides_nothing_and_warm_up_rises_to_the_rate(train):
    found = rates(train("warm", values=[9.0, *QUALITY], eval_on_start=True, warmup_steps=4).state.log_history)
    assert found[:5] == pytest.approx([0.0, 0.0025, 0.005, 0.0075, 0.01])
    assert found[4:] == rates(train("cold").state.log_history)[4:]


def test_a_resumed_run_has_the_rates_of_the_uninterrupted_one(train):
    class Dies(TrainerCallback):
        def on_step_begin(self, args, state, control, **given):
            if state.global_step == 13:  # after the checkpoint of step 12 and its evaluation
                raise KeyboardInterrupt

    whole = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("cut", callbacks=[Dies])
    resumed = train("cut", values=QUALITY[6:], resume_from_checkpoint=True)
    assert rates(resumed.state.log_history) == rates(whole.state.log_history)
    assert resumed.state.plateau == whole.state.plateau
