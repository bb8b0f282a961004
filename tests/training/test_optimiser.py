"""Optimisers by name, and which weights share a rate and a decay."""

import copy

import pytest
import torch

from headway.errors import ConfigError, MissingExtraError
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training.checkpoints import TrainerState, load_state, save_state
from headway.training.optimiser import (
    OPTIMI,
    OPTIMIZERS,
    depth,
    make_optimizer,
    number_of_layers,
    set_learning_rate,
    weight_groups,
)


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(tiny_config).train()


def step(model, optimizer, *, seed):
    torch.manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.randn_like(weight)
    optimizer.step()


@pytest.mark.parametrize("name", [*OPTIMIZERS, *OPTIMI])
def test_every_optimiser_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(model, name, tmp_path):
    arguments = TrainingArguments(
        optim=name, learning_rate=0.01, weight_decay=0.1, optim_args={"momentum": 0.9} if name in ("sgd", "rmsprop") else {}
    )
    other = copy.deepcopy(model)
    optimizer = make_optimizer(model, arguments)
    step(model, optimizer, seed=1)
    folder = tmp_path / "checkpoint-1"
    save_state(folder, model, optimizer, TrainerState(global_step=1), identity={}, limit=None)
    step(model, optimizer, seed=2)
    resumed = make_optimizer(other, arguments)
    load_state(folder, other, resumed, identity={})
    step(other, resumed, seed=2)
    for (key, weight), found in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(weight, found), key


def test_each_layer_has_its_share_of_the_rate_of_the_one_above(model):
    arguments = TrainingArguments(learning_rate=0.5, layerwise_lr_decay=0.8, weight_decay=0.1)
    optimizer = make_optimizer(model, arguments)
    set_learning_rate(optimizer, 0.25)
    rates = {id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]}
    expected = {"embeddings.": 0.8**4, "layers.0.": 0.8**3, "layers.1.": 0.8**2, "layers.2.": 0.8, "": 1.0}
    for name, weight in model.named_parameters():
        share = next(share for start, share in expected.items() if name.startswith(start))
        assert rates[id(weight)] == pytest.approx(0.25 * share), name


def test_names_say_how_far_up_a_weight_stands():
    names = ["embeddings.token.weight", "layers.0.qkv.weight", "layers.1.qkv.weight", "pooler.weight", "head.weight"]
    assert number_of_layers(names) == 2
    assert [depth(name, 2) for name in names] == [0, 1, 2, 3, 3]
    assert number_of_layers(["head.weight"]) == 0


def test_weights_that_are_not_trained_are_left_out(model):
    frozen = model.freeze("embeddings", "layers.0")
    found = {id(weight) for group in weight_groups(model, TrainingArguments()) for weight in group["params"]}
    assert frozen
    assert not found & {id(model.get_parameter(name)) for name in frozen}
    assert len(found) == len(list(model.parameters())) - len(frozen)


def test_an_optimisers_own_settings_reach_it_and_others_are_refused(model):
    optimizer = make_optimizer(model, TrainingArguments(optim="sgd", optim_args="momentum=0.9,nesterov=true"))
    assert (optimizer.param_groups[0]["momentum"], optimizer.param_groups[0]["nesterov"]) == (0.9, True)
    with pytest.raises(ConfigError, match=r"optim_args has 'beta', which is no setting of sgd. Its settings are: dampening, "):
        make_optimizer(model, TrainingArguments(optim="sgd", optim_args={"beta": 1}))


@pytest.mark.parametrize(("name", "wanted"), [
    ("lion_32bit", {"beta1": 0.8, "beta2": 0.999, "weight_decay": 0.1, "kahan_sum": False}),
    ("stable_adamw", {"beta1": 0.8, "beta2": 0.999, "eps": 1e-7, "weight_decay": 0.1, "kahan_sum": False}),
])  # fmt: skip
def test_those_of_optimi_have_the_arguments_of_adam(model, name, wanted):
    import optimi

    given = {"adam_beta1": 0.8, "adam_epsilon": 1e-7, "weight_decay": 0.1, "optim_args": "kahan_sum=false"}
    optimizer = make_optimizer(model, TrainingArguments(optim=name, **given))
    assert type(optimizer) is getattr(optimi, OPTIMI[name])
    assert wanted.items() <= optimizer.param_groups[0].items()
    assert optimizer.param_groups[-1]["weight_decay"] == 0.0
    before = [weight.detach().clone() for weight in model.parameters()]
    set_learning_rate(optimizer, 0.0)
    step(model, optimizer, seed=1)
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))


def test_without_optimi_it_says_what_to_install(model, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"optim='lion_32bit' needs .*'torch-optimi'.* pip install 'headway\[optimisers\]'"
    ):
        make_optimizer(model, TrainingArguments(optim="lion_32bit"))
