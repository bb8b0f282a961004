"""An optimiser of the user's own, as transformers' Trainer takes it."""

import json

import pytest
import torch
import transformers
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau

from headway.errors import CheckpointError, ConfigError
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training import Trainer

ROWS = [{"input_ids": [2, 5 + n % 7, 20 + n % 3, 3][: 3 + n % 2], "label": n % 2} for n in range(23)]
STEPS = 6


@pytest.fixture
def make(tiny_config):
    def make():
        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=2))

    return make


def trainer(model, folder, *, settings=(), **given):
    usual = {"max_steps": STEPS, "per_device_train_batch_size": 4, "bf16": False, "save_steps": 2, "logging_steps": 1}
    arguments = TrainingArguments(str(folder), **usual | dict(settings))
    return Trainer(model, arguments, train_dataset=ROWS, progress=False, **given)


def rates(folder):
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [line["learning_rate"] for line in lines if "learning_rate" in line]


def weights(model):
    return [weight.detach().clone() for weight in model.parameters()]


def two_groups(model):
    head = [weight for name, weight in model.named_parameters() if name.startswith("head")]
    others = [weight for name, weight in model.named_parameters() if not name.startswith("head")]
    return [{"params": others, "lr": 1e-3}, {"params": head, "lr": 4e-3}]


def test_it_learns_as_the_same_one_made_by_name_does(make, tmp_path):
    ours, named = make(), make()
    optimizer = torch.optim.AdamW(ours.parameters(), lr=3e-3, weight_decay=0.0)
    trainer(ours, tmp_path / "own", optimizers=(optimizer, None)).train()
    trainer(named, tmp_path / "named", settings={"learning_rate": 3e-3, "optim": "adamw_torch"}).train()
    assert rates(tmp_path / "own") == rates(tmp_path / "named")
    for one, other in zip(weights(ours), weights(named), strict=True):
        torch.testing.assert_close(one, other)


def test_the_arguments_schedule_moves_each_group_from_its_own_rate(make, tmp_path):
    model, seen = make(), []
    optimizer = torch.optim.SGD(two_groups(model), lr=0.5)

    class Watch(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **given):
            seen.append([group["lr"] for group in given["optimizer"].param_groups])

    trainer(model, tmp_path, optimizers=(optimizer, None), callbacks=[Watch()]).train()
    theirs = transformers.get_scheduler("linear", torch.optim.SGD(two_groups(make())), 0, STEPS)
    wanted = []
    for _ in range(STEPS):
        wanted.append([group["lr"] for group in theirs.optimizer.param_groups])
        theirs.optimizer.step()
        theirs.step()
    torch.testing.assert_close(torch.tensor(seen), torch.tensor(wanted))


@pytest.mark.parametrize("schedule", [
    lambda optimizer: LambdaLR(optimizer, lambda step: 1 / (1 + step)),
    lambda optimizer: OneCycleLR(optimizer, max_lr=0.01, total_steps=STEPS + 1),
], ids=["lambda", "one cycle"])  # fmt: skip
def test_a_schedule_of_ones_own_sets_the_rate_and_a_run_goes_on_with_it_bit_for_bit(make, tmp_path, schedule):
    def run(folder, **settings):
        model = make()
        optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, momentum=0.5)
        trainer(model, folder, optimizers=(optimizer, schedule(optimizer)), settings=settings).train()
        return weights(model)

    whole = run(tmp_path / "one")
    again = run(tmp_path / "two", resume_from_checkpoint=str(tmp_path / "one" / "checkpoint-4"))
    assert all(map(torch.equal, whole, again))
    alone = schedule(torch.optim.RMSprop([torch.zeros(1)], lr=1e-3))
    wanted = []
    for _ in range(STEPS):
        wanted.append(alone.optimizer.param_groups[0]["lr"])
        alone.optimizer.step()
        alone.step()
    assert rates(tmp_path / "one") == wanted


class Counting(torch.optim.SGD):
    """Keeps numbers that are no tensors, of weights and of groups, on which its steps depend."""

    def step(self, closure=None):
        for group in self.param_groups:
            group["done"] = group.get("done", 0) + 1
            for weight in group["params"]:
                state = self.state[weight]
                state["seen"], state["none"] = state.get("seen", 0.5) * 1.5, None
                if weight.grad is not None:
                    weight.data -= group["lr"] * weight.grad * state["seen"] / group["done"]


def test_a_class_makes_it_and_whatever_it_keeps_is_in_checkpoints(make, tmp_path):
    def run(folder, **settings):
        model = make()
        found = trainer(model, folder, optimizer_cls_and_kwargs=(Counting, {"lr": 0.5}), settings=settings)
        found.train()
        return weights(model)

    whole = run(tmp_path / "one")
    again = run(tmp_path / "two", resume_from_checkpoint=str(tmp_path / "one" / "checkpoint-2"))
    assert all(map(torch.equal, whole, again))
    assert rates(tmp_path / "one")[0] == 0.5
    with pytest.raises(ConfigError, match=r"optimizer was \"Counting \{'lr': 0\.5\}\" and is None"):
        trainer(make(), tmp_path / "one", settings={"resume_from_checkpoint": True}).train()


def test_weights_decay_and_layers_have_their_rates_where_a_class_is_given(make, tmp_path):
    seen = []

    class Watch(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **given):
            seen.extend(given["optimizer"].param_groups)

    settings = {"weight_decay": 0.1, "layerwise_lr_decay": 0.5, "max_steps": 1}
    kind = (torch.optim.AdamW, {"lr": 1e-3})
    trainer(make(), tmp_path, settings=settings, optimizer_cls_and_kwargs=kind, callbacks=[Watch()]).train()
    assert {group["weight_decay"] for group in seen} == {0.0, 0.1}
    assert len({group["lr"] for group in seen}) == 2 + len(make().layers)


class Listing(Counting):
    def step(self, closure=None):
        super().step()
        for group in self.param_groups:
            for weight in group["params"]:
                self.state[weight]["list"] = [1, 2]


def test_what_no_checkpoint_can_hold_is_said(make, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"Listing keeps a list, which no checkpoint here can hold\. Use save_only_model=True"
    ):
        trainer(make(), tmp_path, optimizer_cls_and_kwargs=(Listing, {"lr": 0.5})).train()


def plateau(optimizer):
    return ReduceLROnPlateau(optimizer)


@pytest.mark.parametrize(("given", "settings", "said"), [
    (lambda model, own: {"optimizers": (object(), None)}, {}, r"has a object in its first place, but torch\.optim"),
    (lambda model, own: {"optimizers": (None, LambdaLR(own, float))}, {}, "has no optimiser in its first place"),
    (lambda model, own: {"optimizers": (own, plateau(own))}, {}, "use lr_scheduler_type='reduce_lr_on_plateau'"),
    (lambda model, own: {"optimizers": (own, LambdaLR(torch.optim.SGD(model.parameters()), float))}, {}, "a schedule of another"),
    (lambda model, own: {"optimizers": (torch.optim.SGD([torch.zeros(3)]), None)}, {}, "holds weights that are not the model's"),
    (lambda model, own: {"optimizers": (own, None), "optimizer_cls_and_kwargs": (Counting, {})}, {}, "are both given"),
    (lambda model, own: {"optimizers": (own, None)}, {"layerwise_lr_decay": 0.5}, "layerwise_lr_decay says how"),
    (lambda model, own: {"optimizers": (own, None)}, {"fsdp": "full_shard"}, "an optimiser of your own cannot know"),
    (lambda model, own: {"optimizers": (torch.optim.SGD(model.parameters(), lr=0.0), None)}, {}, r"has the lr 0\.0, of which"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused_before_the_first_step(make, tmp_path, given, settings, said, monkeypatch):
    monkeypatch.setattr("headway.training.loop.train_step", None)
    model = make()
    with pytest.raises(ConfigError, match=said):
        trainer(model, tmp_path, settings=settings, **given(model, torch.optim.SGD(model.parameters(), lr=0.1))).train()


def test_a_schedule_that_has_gone_on_is_refused(make, tmp_path):
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = trainer(model, tmp_path, optimizers=(optimizer, LambdaLR(optimizer, lambda step: 1.0)))
    found.train()
    with pytest.raises(ConfigError, match=r"has gone 5 steps, but training is at step 2\. Give Trainer a new optimiser"):
        found.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))


def test_models_that_are_made_anew_need_a_class(make, tmp_path):
    with pytest.raises(ConfigError, match=r"model_init makes new ones\. Give optimizer_cls"):
        Trainer(None, None, model_init=make, optimizers=(torch.optim.SGD(make().parameters()), None))
