"""A search for settings through the real Optuna, as transformers' Trainer has it."""

from pathlib import Path

import optuna
import pytest
import torch
import transformers
from transformers import trainer_utils

from headway.errors import ConfigError
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training import Trainer, search

ROWS = [{"input_ids": [2, 5 + n % 7, 20 + n % 3, 3], "label": n % 2} for n in range(11)]
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture
def trainer(tiny_config, tmp_path):
    config = tiny_config.replace(num_labels=2, num_hidden_layers=1)
    arguments = TrainingArguments(str(tmp_path), max_steps=2, per_device_train_batch_size=4, save_strategy="no", bf16=False)
    return Trainer(
        args=arguments, train_dataset=ROWS, eval_dataset=ROWS, progress=False,
        model_init=lambda: AutoModelForSequenceClassification.from_config(config),
    )  # fmt: skip


def rate(trial):
    return {"learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True)}


def test_the_best_trial_is_told_and_the_trainer_stays_as_it_was(trainer):
    before = {name: weight.clone() for name, weight in trainer.model.state_dict().items()}
    seen = []

    def objective(metrics):
        seen.append(trainer.args.learning_rate)
        return metrics["eval_loss"]

    best = trainer.hyperparameter_search(
        rate, objective, n_trials=3, direction="minimize", backend="optuna", hp_name=lambda trial: f"try-{trial.number}",
        sampler=optuna.samplers.RandomSampler(seed=3),
    )  # fmt: skip
    trials = best.run_summary.trials
    assert best.objective == min(trial.value for trial in trials)
    assert best.hyperparameters == {"learning_rate": seen[int(best.run_id)]}
    assert len(set(seen)) == 3
    assert sorted(path.name for path in Path(trainer.args.output_dir).glob("try-*")) == ["try-0", "try-1", "try-2"]
    assert trainer.args.learning_rate == 5e-5
    assert all(torch.equal(weight, before[name]) for name, weight in trainer.model.state_dict().items())


def test_the_usual_space_and_objective_are_those_of_transformers(trainer):
    trials = [
        optuna.trial.FixedTrial({"learning_rate": 3e-5, "num_train_epochs": 2, "seed": 7, "per_device_train_batch_size": 16})
    ] * 2
    assert search.default_hp_space(trials[0]) == trainer_utils.default_hp_space_optuna(trials[1])
    for metrics in (
        {"eval_loss": 0.5},
        {"eval_loss": 0.5, "eval_f1": 0.25, "eval_accuracy": 0.5, "eval_runtime": 3.0, "epoch": 2},
    ):
        assert search.default_compute_objective(metrics) == transformers.trainer_utils.default_compute_objective(metrics)
    best = trainer.hyperparameter_search(n_trials=1, direction="maximize")
    assert best.hyperparameters.keys() == {"learning_rate", "num_train_epochs", "seed", "per_device_train_batch_size"}


def test_several_objectives_give_all_that_none_beats(trainer):
    best = trainer.hyperparameter_search(
        rate, lambda metrics: (metrics["eval_loss"], metrics["eval_accuracy"]), n_trials=2, direction=["minimize", "maximize"]
    )
    assert all(len(run.objective) == 2 for run in best)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"direction": "up"}, r"direction is 'up', but an objective is better where .* Use 'minimize'"),
        ({"backend": "ray"}, r"backend is 'ray', but the search is Optuna's here\. Use backend='optuna'"),
        ({"n_trials": 0}, r"n_trials is 0; it counts trainings"),
        ({"hp_space": lambda trial: {"learning_rte": 1e-5}}, r"hp_space has 'learning_rte'.*Did you mean 'learning_rate'"),
        ({"hp_space": lambda trial: {"learning_rate": -1}}, r"learning_rate is -1; it cannot be negative"),
    ],
)
def test_a_search_that_cannot_be_is_refused(trainer, given, message):
    with pytest.raises(ConfigError, match=message):
        trainer.hyperparameter_search(**{"n_trials": 1, **given})


def test_a_search_needs_to_know_how_a_model_is_made(trainer):
    with pytest.raises(ConfigError, match=r"Give Trainer\(model_init=lambda: AutoModelForSequenceClassification"):
        Trainer(trainer.model, trainer.args, progress=False).hyperparameter_search()
