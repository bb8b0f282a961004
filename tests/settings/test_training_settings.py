"""Settings of training that cannot mean anything are refused before any work is done, in words that say what to do."""

import pytest

from headway.errors import ConfigError
from headway.settings.pretraining import PretrainSettings
from headway.settings.training import TrainingArguments, TrainSettings


def pretraining(**values):
    return PretrainSettings(**{"files": ("a.txt",), "output_dir": "out", "tokenizer": "tok"} | values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"per_device_train_batch_size": 0}, "per_device_train_batch_size is 0; it counts something", id="batch"),
        pytest.param({"gradient_accumulation_steps": -1}, "gradient_accumulation_steps is -1; it counts something", id="steps"),
        pytest.param({"learning_rate": -1e-3}, "learning_rate is -0.001; it cannot be negative", id="rate"),
        pytest.param({"num_train_epochs": 0}, "num_train_epochs is 0, so nothing would be trained", id="no epochs"),
    ],
)
def test_training_refuses(values, said):
    with pytest.raises(ConfigError) as caught:
        TrainingArguments(**values)
    assert said in str(caught.value)


def test_steps_decide_instead_of_epochs():
    assert TrainingArguments(num_train_epochs=0, max_steps=7).max_steps == 7


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"mlm_probability": 0}, "mlm_probability is 0; it is the share of tokens to predict", id="nothing hidden"),
        pytest.param({"mlm_probability": 1}, "mlm_probability is 1; it is the share of tokens to predict", id="all hidden"),
        pytest.param({"held_out": 1.0}, "held_out is 1.0; it is a share of the documents", id="all held out"),
        pytest.param({"max_length": 7}, "max_length is 7; pieces of fewer than 8 tokens", id="too short"),
        pytest.param({"max_length": 513}, "max_length (513) is more than max_position_embeddings (512)", id="no positions"),
        pytest.param({"tokens_per_batch": 127}, "tokens_per_batch (127) does not hold one piece of max_length (128)", id="batch"),
        pytest.param({"learning_rate": -1.0}, "learning_rate is -1.0; it cannot be negative", id="as all training"),
    ],
)
def test_pre_training_refuses(values, said):
    with pytest.raises(ConfigError) as caught:
        pretraining(**values)
    assert said in str(caught.value)


def test_no_max_length_is_that_of_the_positions():
    assert pretraining(max_length=None, max_position_embeddings=64, tokens_per_batch=64).max_length is None
    with pytest.raises(ConfigError, match="does not hold one piece of max_length"):
        pretraining(max_length=None, max_position_embeddings=67, tokens_per_batch=64)


def test_the_settings_of_both_commands_survive_json():
    for settings in (pretraining(files=("a", "b")), TrainSettings(output_dir="out", model="m", train="t.csv")):
        assert type(settings).from_dict(settings.to_dict()) == settings
