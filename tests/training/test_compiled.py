"""Layers compiled by torch.compile: the same numbers, one compilation for batches of all sizes, and errors that help."""

import copy

import pytest
import torch

from headway.errors import ConfigError
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training import Trainer

ROWS = [{"input_ids": [2, 5 + n % 7, *[20 + n % 3] * (n % 5), 3], "label": n % 2} for n in range(23)]


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    still = tiny_config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, num_labels=2, num_hidden_layers=2)
    return AutoModelForSequenceClassification.from_config(still)


@pytest.fixture
def train(tmp_path):
    def run(model, name, **settings):
        usual = {"max_steps": 4, "per_device_train_batch_size": 3, "optim": "sgd", "learning_rate": 0.05, "bf16": False}
        usual |= {"save_strategy": "no"}
        arguments = TrainingArguments(str(tmp_path / name), **usual | settings)
        teacher = Trainer(copy.deepcopy(model), arguments, train_dataset=ROWS, eval_dataset=ROWS, progress=False)
        teacher.train()
        return teacher

    return run


def test_compiled_layers_learn_what_they_learn_as_they_are(model, train):
    torch._dynamo.reset()
    expected = train(model, "plain")
    torch._dynamo.utils.counters.clear()
    found = train(model, "compiled", torch_compile_backend="eager")  # inductor takes half a minute
    compiled = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert 0 < compiled < 7  # two layers, four batches of other sizes each
    for name, weight in expected.model.state_dict().items():
        torch.testing.assert_close(found.model.state_dict()[name], weight, rtol=1e-4, atol=1e-5)


def test_afterwards_the_layers_are_as_they_were(model, train):
    teacher = train(model, "compiled", torch_compile=True, torch_compile_backend="eager", max_steps=1)
    for layer in teacher.model.layers:
        assert layer._compiled_call_impl is None
        assert "forward" not in vars(layer.attention)
    copy.deepcopy(teacher.model)


def test_a_backend_that_torch_does_not_have_is_refused_by_name(model, train):
    with pytest.raises(
        ConfigError, match=r"torch_compile_backend is 'inductr', which torch does not have\. Use one of .*inductor"
    ):
        train(model, "unknown", torch_compile_backend="inductr")


def test_what_keeps_a_backend_from_compiling_is_an_error_that_names_what_it_needs(model, train):
    def broken(graph, inputs):
        raise FileNotFoundError("No working C++ compiler found")

    torch._dynamo.reset()
    torch._dynamo.register_backend(broken, name="broken")
    message = (
        r"by 'broken' \(FileNotFoundError: No working C\+\+ compiler found\)\. inductor needs .* g\+\+ .* or leave torch_compile"
    )
    with pytest.raises(ConfigError, match=message):
        train(model, "compiled", torch_compile_backend="broken")


def test_shards_are_not_compiled():
    with pytest.raises(ConfigError, match=r"torch_compile and fsdp='full_shard' are both asked for.* Leave one of them out"):
        TrainingArguments(torch_compile=True, fsdp="full_shard")
