"""Events in the order that transformers has, what callbacks may steer, the best model, and early stopping."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
import transformers

from headway.errors import CheckpointError, ConfigError
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training import EarlyStoppingCallback, Trainer, TrainerCallback
from headway.training.callbacks import EVENTS
from headway.training.checkpoints import states_in

ROWS = [{"input_ids": [2, 5 + n % 7, 20 + n % 3, 3][: 3 + n % 2], "label": n % 2} for n in range(11)]
EVALUATES = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 2}


class Recorder(TrainerCallback):
    """Remembers each event, and at which step it came."""

    def __init__(self):
        self.seen = []

    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda args, state, control, **given: self.seen.append((name.removeprefix("on_"), state.global_step))


class Scores:
    """A metric that is given, one value an evaluation."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, found):
        return {"quality": self.values.pop(0)}


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=2))


def trainer(model, folder, *, callbacks=(), compute_metrics=None, **settings):
    settings = {"learning_rate": 1e-2, "per_device_train_batch_size": 2, "num_train_epochs": 2, "bf16": False} | settings
    return Trainer(
        model, TrainingArguments(str(folder), **settings), train_dataset=ROWS, eval_dataset=ROWS, callbacks=callbacks,
        compute_metrics=compute_metrics, progress=False,
    )  # fmt: skip


def test_events_come_in_the_order_in_which_transformers_has_them(model, tmp_path, tiny_config):
    ours, theirs = Recorder(), Recorder()
    settings = {"gradient_accumulation_steps": 2, "logging_steps": 2, **EVALUATES}
    teacher = trainer(model, tmp_path / "ours", callbacks=[ours], **settings)
    teacher.train()

    class Theirs(transformers.TrainerCallback):
        def on_event(self, name, args, state, control, **given):
            theirs.seen.append((name, state.global_step))

    for event in EVENTS:
        handler = lambda self, args, state, control, event=event, **given: theirs.seen.append((event, state.global_step))  # noqa: E731
        setattr(Theirs, f"on_{event}", handler)
    config = transformers.BertConfig(vocab_size=101, hidden_size=28, num_hidden_layers=1, num_attention_heads=4, num_labels=2)
    rows = [{**row, "input_ids": row["input_ids"][:3], "attention_mask": [1] * 3} for row in ROWS]
    arguments = transformers.TrainingArguments(
        str(tmp_path / "theirs"), per_device_train_batch_size=2, num_train_epochs=2, report_to="none", disable_tqdm=True,
        dataloader_pin_memory=False,
        **settings,
    )  # fmt: skip
    reference = transformers.Trainer(
        transformers.BertForSequenceClassification(config), arguments, train_dataset=rows, eval_dataset=rows, callbacks=[Theirs()]
    )
    reference.train()
    skipped = {"prediction_step", "log"}  # batches of an evaluation are larger here; each line of the log is told of
    assert [found for found in ours.seen if found[0] not in skipped] == [one for one in theirs.seen if one[0] not in skipped]
    counts = Counter(name for name, _ in ours.seen)
    assert counts["substep_end"] == counts["optimizer_step"] == counts["pre_optimizer_step"] == 6
    assert counts["log"] == 6
    teacher.predict(ROWS)
    assert {name for name, _ in ours.seen} == set(EVENTS)


def test_callbacks_see_logs_and_metrics_and_may_ask_for_more(model, tmp_path):
    seen = []

    class Asks(TrainerCallback):
        def on_step_end(self, args, state, control, **given):
            control.should_evaluate = control.should_save = control.should_log = state.global_step == 3
            return control

        def on_evaluate(self, args, state, control, metrics, **given):
            seen.append(sorted(metrics))

        def on_log(self, args, state, control, logs, **given):
            seen.append(sorted(logs))

    teacher = trainer(model, tmp_path, callbacks=[Asks], max_steps=5, save_strategy="no", logging_strategy="no")
    teacher.train()
    trained, logged, evaluated = seen
    assert trained == ["grad_norm", "learning_rate", "loss", "step", "tokens_per_second"]
    assert {"eval_accuracy", "eval_f1", "eval_loss"} < set(evaluated)
    assert sorted([*evaluated, "step"]) == logged
    assert [folder.name for folder in states_in(tmp_path)] == ["checkpoint-3"]
    assert teacher.state.global_step == 5
    assert teacher.state.epoch == pytest.approx(5 / 6)


def test_a_callback_can_end_an_epoch_and_the_training(model, tmp_path):
    class Ends(TrainerCallback):
        def on_step_end(self, args, state, control, **given):
            control.should_epoch_stop = state.global_step == 2
            control.should_training_stop = state.global_step == 5

    recorder = Recorder()
    result = trainer(model, tmp_path, callbacks=[Ends(), recorder]).train()
    assert result.global_step == 5
    assert [event for event in recorder.seen if event[0].startswith("epoch")] == [
        ("epoch_begin", 0), ("epoch_begin", 2),
    ]  # fmt: skip
    assert [folder.name for folder in states_in(tmp_path)] == ["checkpoint-5"]


def test_an_epoch_that_is_ended_at_its_end_costs_no_other(model, tmp_path):
    class Ends(TrainerCallback):
        def on_epoch_end(self, args, state, control, **given):
            control.should_epoch_stop = state.global_step == 6

    teacher = trainer(model, tmp_path, callbacks=[Ends()], num_train_epochs=3, save_strategy="no")
    teacher.train()
    assert teacher.state.epochs_done == 3


def test_the_best_weights_are_the_result_and_their_checkpoint_is_kept(model, tmp_path):
    scores = Scores(0.3, 0.9, 0.5, 0.7, 0.6, 0.2)
    settings = {"load_best_model_at_end": True, "metric_for_best_model": "quality", "save_total_limit": 1}
    teacher = trainer(model, tmp_path, compute_metrics=scores, **settings, **EVALUATES)
    teacher.train()
    assert (teacher.state.best_metric, teacher.state.best_global_step) == (0.9, 4)
    assert [folder.name for folder in states_in(tmp_path)] == ["checkpoint-4", "checkpoint-12"]
    best = AutoModelForSequenceClassification.from_pretrained(tmp_path / "checkpoint-4").state_dict()
    assert all(torch.equal(weight, best[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"metric_for_best_model": "quality", "greater_is_better": False}, 2, id="less is better if one says so"),
        pytest.param({"metric_for_best_model": "eval_quality"}, 4, id="with the prefix"),
    ],
)
def test_what_is_best_follows_the_arguments(model, tmp_path, settings, expected):
    teacher = trainer(model, tmp_path, compute_metrics=Scores(0.3, 0.9, 0.5), max_steps=6, **settings, **EVALUATES)
    teacher.train()
    assert teacher.state.best_global_step == expected


def test_save_strategy_best_keeps_each_best_evaluation(model, tmp_path):
    settings = {"save_strategy": "best", "eval_strategy": "steps", "eval_steps": 1, "metric_for_best_model": "quality"}
    scores = Scores(0.1, 0.5, 0.2, 0.5, 0.6, 0.3)
    trainer(model, tmp_path, compute_metrics=scores, max_steps=6, **settings).train()
    assert [folder.name for folder in states_in(tmp_path)] == ["checkpoint-1", "checkpoint-2", "checkpoint-5", "checkpoint-6"]


def test_weights_that_were_not_kept_are_an_error(model, tmp_path):
    class Removes(TrainerCallback):
        def on_save(self, args, state, control, **given):
            if state.global_step == 4:
                (tmp_path / "checkpoint-2").rename(tmp_path / "elsewhere")

    settings = {"load_best_model_at_end": True, "metric_for_best_model": "quality"}
    teacher = trainer(
        model, tmp_path, callbacks=[Removes()], compute_metrics=Scores(0.9, 0.5), max_steps=4, **settings, **EVALUATES
    )
    with pytest.raises(CheckpointError, match=r"weights of the best evaluation \(step 2\) were not kept"):
        teacher.train()


def test_early_stopping_waits_as_transformers_does(model, tmp_path):
    scores = (0.5, 0.55, 0.52, 0.6, 0.62, 0.61, 0.3, 0.2)  # by more than 0.04: the first, 0.55 and 0.6 are better
    settings = {"metric_for_best_model": "quality", "num_train_epochs": 3, **EVALUATES}
    early = EarlyStoppingCallback(early_stopping_patience=3, early_stopping_threshold=0.04)
    teacher = trainer(model, tmp_path, callbacks=[early], compute_metrics=Scores(*scores), **settings)
    assert teacher.train().global_step == 14

    their, control = transformers.EarlyStoppingCallback(3, 0.04), transformers.TrainerControl()
    state = transformers.TrainerState()
    arguments = transformers.TrainingArguments(str(tmp_path / "x"), metric_for_best_model="quality", greater_is_better=True)
    for score in scores:
        their.on_evaluate(arguments, state, control, metrics={"eval_quality": score})
        state.best_metric = max(score, state.best_metric or -np.inf)
        if control.should_training_stop:
            break
    assert score == scores[6]


def test_a_run_that_was_stopped_early_and_is_started_again_has_ended(model, tmp_path):
    settings = {"metric_for_best_model": "quality", "resume_from_checkpoint": True, **EVALUATES}
    first = trainer(model, tmp_path, callbacks=[EarlyStoppingCallback()], compute_metrics=Scores(0.5, 0.4), **settings)
    assert first.train().global_step == 4
    again = trainer(model, tmp_path, callbacks=[EarlyStoppingCallback()], compute_metrics=Scores(), **settings)
    assert again.train().global_step == 4


def test_what_a_callback_counts_goes_on_after_an_interruption(model, tmp_path):
    class Breaks(TrainerCallback):
        def on_step_begin(self, args, state, control, **given):
            if state.global_step == 7:
                raise KeyboardInterrupt

    settings = {"metric_for_best_model": "quality", "resume_from_checkpoint": True, **EVALUATES}
    early = EarlyStoppingCallback(early_stopping_patience=3)
    with pytest.raises(KeyboardInterrupt):
        trainer(model, tmp_path, callbacks=[early, Breaks], compute_metrics=Scores(0.5, 0.4, 0.3), **settings).train()
    kept = json.loads((tmp_path / "checkpoint-6" / "trainer_state.json").read_text())
    assert kept["callbacks"] == [{"class": "EarlyStoppingCallback", "waited": 2}]
    again = EarlyStoppingCallback(early_stopping_patience=3)
    assert trainer(model, tmp_path, callbacks=[again], compute_metrics=Scores(0.2, 0.9), **settings).train().global_step == 8


def test_callbacks_are_added_and_taken_out_by_class_or_by_themselves(model, tmp_path):
    recorder = Recorder()
    teacher = trainer(model, tmp_path, callbacks=[recorder])
    assert recorder.seen == [("init_end", 0)]
    teacher.add_callback(EarlyStoppingCallback)
    assert isinstance(teacher.pop_callback(EarlyStoppingCallback), EarlyStoppingCallback)
    assert teacher.pop_callback(EarlyStoppingCallback) is None
    teacher.remove_callback(recorder)
    assert teacher.callbacks.all == []


def test_a_method_for_an_event_that_there_is_not_is_refused(model, tmp_path):
    class Mistyped(TrainerCallback):
        def on_stepend(self, args, state, control, **given):
            pass

    with pytest.raises(ConfigError, match=r"has a method on_stepend, but there is no such event.* Did you mean 'step_end'"):
        trainer(model, tmp_path, callbacks=[Mistyped])


@pytest.mark.parametrize(
    ("settings", "callbacks", "message"),
    [
        ({}, [EarlyStoppingCallback()], r"EarlyStoppingCallback looks at evaluations, but eval_strategy is 'no'"),
        (
            EVALUATES | {"metric_for_best_model": "bleu"},
            [],
            r"metric_for_best_model is 'bleu', but evaluations here measure loss, ",
        ),
    ],
)
def test_what_is_never_measured_is_said(model, tmp_path, settings, callbacks, message):
    with pytest.raises(ConfigError, match=message):
        trainer(model, tmp_path, callbacks=callbacks, **settings).train()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"save_strategy": "best"}, r"save_strategy is 'best', but eval_strategy is 'no'"),
        (
            {"load_best_model_at_end": True, "eval_strategy": "epoch"},
            r"needs a checkpoint of each evaluation, but eval_strategy is ",
        ),
        ({"load_best_model_at_end": True, **EVALUATES, "save_steps": 3}, r"\(every 2 and 3 steps\). Use the same for both"),
    ],
)
def test_strategies_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        TrainingArguments(**settings)


def test_no_patience_is_refused():
    with pytest.raises(ConfigError, match="early_stopping_patience is 0; it counts evaluations"):
        EarlyStoppingCallback(0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"eval_strategy": "steps", "eval_steps": 2, "eval_delay": 5}, [6, 8, 10, 12], id="steps"),
        pytest.param({"eval_strategy": "epoch", "eval_delay": 1.5}, [12], id="epochs"),
        pytest.param({"eval_strategy": "epoch", "eval_on_start": True}, [0, 6, 12], id="at the start too"),
        pytest.param({"eval_strategy": "no"}, [], id="never"),
    ],
)
def test_evaluations_come_when_the_arguments_say(model, tmp_path, settings, expected):
    recorder = Recorder()
    trainer(model, tmp_path, callbacks=[recorder], save_strategy="no", **settings).train()
    assert [step for name, step in recorder.seen if name == "evaluate"] == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"logging_steps": 5}, [5, 10, 12]),
        ({"logging_steps": 5, "logging_first_step": True}, [1, 5, 10, 12]),
        ({"logging_strategy": "epoch"}, [6, 12]),
        ({"logging_strategy": "no"}, []),
    ],
)
def test_lines_of_the_log_come_when_the_arguments_say(model, tmp_path, settings, expected):
    teacher = trainer(model, tmp_path, save_strategy="no", **settings)
    teacher.train()
    assert [entry["step"] for entry in teacher.state.log_history] == expected
