import warnings

import pytest

from headway.errors import ConfigError
from headway.settings import other_names
from headway.settings.training import TrainingArguments


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(other_names, "_SAID", set())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"evaluation_strategy": "epoch"}, {"eval_strategy": "epoch"}),
        ({"warmup_ratio": 0.1}, {"warmup_steps": 0.1}),
        ({"per_gpu_train_batch_size": 7}, {"per_device_train_batch_size": 7}),
        ({"adafactor": True}, {"optim": "adafactor"}),
        ({"group_by_length": True, "remove_unused_columns": False, "do_train": True}, {}),
    ],
)
def test_other_names_mean_what_they_are_called_here(given, expected):
    with pytest.warns(UserWarning, match="here"):
        assert TrainingArguments("out", **given) == TrainingArguments("out", **expected)


def test_what_a_name_means_is_said_once():
    with pytest.warns(UserWarning, match=r"warmup_ratio is warmup_steps here \(below 1 it is a share of all steps\)"):
        TrainingArguments(warmup_ratio=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TrainingArguments(warmup_ratio=0.2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"learning_rte": 1}, r"TrainingArguments has no argument 'learning_rte'. Did you mean 'learning_rate'"),
        ({"deepspeed": "ds.json"}, r"deepspeed=.ds.json. is not available. Use fsdp"),
        ({"save_safetensors": False}, r"save_safetensors=False would write pickles"),
        ({"optim": "galore_adamw"}, r"optim is 'galore_adamw', which is not known here. Use adamw_torch_fused, "),
        ({"lr_scheduler_type": "step"}, r"lr_scheduler_type is 'step', which is not known here. Use linear, "),
        ({"layerwise_lr_decay": 0}, r"layerwise_lr_decay is 0, but it is a share of the rate above"),
        ({"label_smoothing_factor": 1}, r"label_smoothing_factor is 1, but it is a share of each target"),
        ({"lr_scheduler_kwargs": 3}, r"lr_scheduler_kwargs is 3, but it holds settings by name. Give a dictionary"),
        ({"optim_args": "{no"}, r"optim_args is no JSON object"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(given, message):
    with pytest.raises(ConfigError, match=message):
        TrainingArguments(**given)


def test_the_old_adamw_is_that_of_torch():
    assert TrainingArguments(optim="adamw_hf").optim == "adamw_torch"


def test_both_names_of_one_argument_are_refused():
    with (
        pytest.warns(UserWarning, match="evaluation_strategy is eval_strategy here"),
        pytest.raises(ConfigError, match="evaluation_strategy and eval_strategy are the same argument"),
    ):
        TrainingArguments(evaluation_strategy="epoch", eval_strategy="steps")


@pytest.mark.parametrize("given", [{"num_cycles": 2, "how": "far"}, '{"num_cycles": 2, "how": "far"}', "num_cycles=2, how=far"])
def test_settings_by_name_come_in_any_form(given):
    assert TrainingArguments(lr_scheduler_kwargs=given).lr_scheduler_kwargs == ("num_cycles=2", "how=far")
