"""``push_to_hub`` of Trainer against the server on this machine that plays the Hub, in a process that has the network on."""

import json
import subprocess
import sys

import pytest

from headway.errors import CheckpointError
from headway.settings.training import TrainingArguments
from headway.training import publishing

SCRIPT = """
import sys, torch
from headway import AutoTokenizer, TrainingArguments, Trainer
from headway.neural.loading import load_model

model_folder, output, settings = sys.argv[1], sys.argv[2], eval(sys.argv[3])
model = load_model(model_folder, head="sequence-classification", config=None, keywords={})
rows = [{"input_ids": [2, 5 + n, 3], "label": n % 2} for n in range(8)]
arguments = TrainingArguments(output, max_steps=4, per_device_train_batch_size=2, save_steps=2, bf16=False, hub_token="hf_secret",
                              **settings)
tokenizer = AutoTokenizer.from_pretrained(model_folder)
trainer = Trainer(model, arguments, train_dataset=rows, processing_class=tokenizer, progress=False)
hold = [one for one in trainer.callbacks.all if type(one).__name__ == "Publisher"]
if hold:  # let each push end before the next is due, so that none is left out
    trainer.callbacks.all.append(type("Waits", (), {"on_step_end": lambda self, *a, **k: hold[0].wait()})())
trainer.train()
if not hold:
    print(trainer.push_to_hub(commit_message="Mine"))
"""


@pytest.fixture
def run(hub, online, model_folder, tmp_path):
    hub.posted.clear()
    hub.repositories.clear()
    folder = model_folder("sequence-classification", num_labels=2, num_hidden_layers=1)

    def call(**settings):
        command = [sys.executable, "-c", SCRIPT, str(folder), str(tmp_path / "mine"), repr(settings)]
        done = subprocess.run(command, env={**online, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), [value["summary"] for kind, value in hub.posted if kind == "commit"]

    return call


@pytest.mark.train
def test_the_model_is_pushed_at_every_save_and_at_the_end(hub, run, tmp_path):
    _, messages = run(push_to_hub=True, hub_model_id="owner/mine", hub_private_repo=True, hub_strategy="all_checkpoints")
    assert messages == ["Training in progress, step 2", "Training in progress, step 4", "End of training"]
    files = hub.repositories["owner/mine"]
    assert {"model.safetensors", "config.json", "tokenizer.json", "checkpoint-2/trainer_state.json"} <= files.keys()
    assert files["checkpoint-4/model.safetensors"] == files["model.safetensors"]
    assert "Bearer hf_secret" in hub.tokens
    assert not any(b"hf_secret" in content for content in files.values())
    assert not any("hf_secret" in path.read_text() for path in (tmp_path / "mine").rglob("*.json*"))
    (created, *_) = (value for kind, value in hub.posted if kind == "create")
    assert created.get("private") is True or created.get("visibility") == "private"


@pytest.mark.train
def test_the_newest_checkpoint_alone_may_go_along(hub, run):
    _, messages = run(push_to_hub=True, hub_strategy="checkpoint")
    assert len(messages) == 3
    files = hub.repositories["owner/mine"]
    assert json.loads(files["last-checkpoint/trainer_state.json"])["global_step"] == 4
    assert not [name for name in files if name.startswith("checkpoint-")]


@pytest.mark.train
def test_at_the_end_or_by_hand(hub, run):
    assert run(push_to_hub=True, hub_strategy="end")[1] == ["End of training"]
    address, messages = run(hub_model_id="owner/other")
    assert address.endswith(f"/owner/other/commit/{'c' * 40}")
    assert messages[-1] == "Mine"
    assert "optimizer.safetensors" not in "".join(hub.repositories["owner/other"])


def test_a_push_that_fails_while_training_is_said_and_the_last_is_an_error(monkeypatch, tmp_path):
    def fail(*arguments, **named):
        raise CheckpointError("no network. Check it.")

    monkeypatch.setattr(publishing, "push_folder", fail)
    arguments = TrainingArguments(str(tmp_path), push_to_hub=True)
    publisher = publishing.Publisher(lambda folder: None)
    state = type("State", (), {"global_step": 3, "epoch": 1.0})()
    publisher.on_save(arguments, state, None)
    with pytest.warns(UserWarning, match=r"A push while training failed, and training goes on: no network\. Check it\."):
        publisher.wait()
    with pytest.raises(CheckpointError, match="no network"):
        publisher.on_train_end(arguments, state, None)
