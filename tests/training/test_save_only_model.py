"""Checkpoints that hold the model alone."""

import os
import signal

import pytest
import torch

from headway.errors import CheckpointError
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training import Trainer, TrainerCallback

ROWS = [{"input_ids": [2, 5 + n % 7, 3], "label": n % 2} for n in range(11)]


@pytest.fixture
def trainer(tiny_config, tmp_path):
    def make(*callbacks, **settings):
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=2))
        usual = {"max_steps": 4, "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2, "bf16": False}
        arguments = TrainingArguments(str(tmp_path), save_only_model=True, **usual | settings)
        return Trainer(model, arguments, train_dataset=ROWS, eval_dataset=ROWS, callbacks=callbacks, progress=False)

    return make


def test_they_hold_weights_that_load_and_no_state_of_the_optimiser(trainer, tmp_path):
    teacher = trainer(load_best_model_at_end=True, learning_rate=0.1, save_total_limit=1)
    teacher.train()
    best = tmp_path / f"checkpoint-{teacher.state.best_global_step}"
    assert {file.name for file in best.iterdir()} == {"config.json", "model.safetensors", "trainer_state.json", "hashes.json"}
    loaded = AutoModelForSequenceClassification.from_pretrained(best)
    assert all(torch.equal(weight, loaded.state_dict()[name]) for name, weight in teacher.model.state_dict().items())


@pytest.mark.parametrize("folder", [True, "checkpoint-4"])
def test_training_does_not_go_on_from_them(trainer, tmp_path, folder):
    trainer().train()
    again = trainer(max_steps=6)
    with pytest.raises(
        CheckpointError, match=r"checkpoint-4 holds the model alone.*save_only_model.*resume_from_checkpoint=False"
    ):
        again.train(resume_from_checkpoint=folder if folder is True else str(tmp_path / folder))


def test_an_interrupted_run_does_not_promise_to_go_on(trainer, capsys):
    class Stopped(TrainerCallback):
        def on_step_end(self, args, state, control, **given):
            if state.global_step == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        trainer(Stopped).train()
    assert "checkpoint-3, from which training cannot go on: save_only_model left" in capsys.readouterr().err
