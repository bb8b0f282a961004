"""Search for settings: a model is trained anew for each trial that Optuna draws, and the best one is told."""

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from headway.core.config import nearest
from headway.errors import ConfigError, missing_extra
from headway.settings.training import TrainingArguments

Space: TypeAlias = Callable[[Any], Mapping[str, Any]]
Objective: TypeAlias = Callable[[dict[str, float]], Any]
BACKENDS = ("optuna",)
OF_OPTIMIZE = ("timeout", "n_jobs", "gc_after_trial", "catch", "callbacks", "show_progress_bar")
DIRECTIONS = ("minimize", "maximize")
SPEEDS = ("_runtime", "_per_second", "_compilation_time")


class BestRun(NamedTuple):
    """The best trial: its number, what it reached, and its settings; ``run_summary`` is Optuna's study."""

    run_id: str
    objective: Any
    hyperparameters: dict[str, Any]
    run_summary: Any = None


def default_hp_space(trial: Any) -> dict[str, Any]:
    """Learning rate, epochs, seed and batch size, in the ranges of transformers."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-6, 1e-4, log=True),
        "num_train_epochs": trial.suggest_int("num_train_epochs", 1, 5),
        "seed": trial.suggest_int("seed", 1, 40),
        "per_device_train_batch_size": trial.suggest_categorical("per_device_train_batch_size", [4, 8, 16, 32, 64]),
    }


def default_compute_objective(metrics: Mapping[str, float]) -> float:
    """The sum of all metrics but the loss, or the loss where there are no others, as in transformers."""
    scores = [value for name, value in metrics.items() if name not in ("eval_loss", "epoch") and not name.endswith(SPEEDS)]
    return sum(scores) if scores else metrics["eval_loss"]


def search(
    run: Callable[[Any], Any],
    *,
    n_trials: int,
    direction: str | Sequence[str],
    backend: str | None,
    options: Mapping[str, Any],
) -> BestRun | list[BestRun]:
    """The best trial, or with several directions all that no other beats; ``run`` trains and tells what it reached."""
    check(n_trials=n_trials, direction=direction, backend=backend)
    if importlib.util.find_spec("optuna") is None:
        raise missing_extra("optuna", extra="search", purpose="hyperparameter_search")
    optuna = importlib.import_module("optuna")
    several = None if isinstance(direction, str) else list(direction)
    of_study = {name: value for name, value in options.items() if name not in OF_OPTIMIZE}
    study = optuna.create_study(direction=direction if several is None else None, directions=several, **of_study)
    study.optimize(run, n_trials=n_trials, **{name: value for name, value in options.items() if name in OF_OPTIMIZE})
    if several is not None:
        return [BestRun(str(one.number), one.values, one.params, study) for one in study.best_trials]
    best = study.best_trial
    return BestRun(str(best.number), best.value, best.params, study)


def check(*, n_trials: int, direction: str | Sequence[str], backend: str | None) -> None:
    """Refuse what no search could be made of, before the first trial."""
    backend = getattr(backend, "value", backend)
    if backend not in (None, *BACKENDS):
        raise ConfigError(f"backend is {backend!r}, but the search is Optuna's here. Use backend='optuna', or leave it out.")
    if n_trials < 1:
        raise ConfigError(f"n_trials is {n_trials}; it counts trainings and must be at least 1.")
    given = [direction] if isinstance(direction, str) else list(direction)
    if not given or any(one not in DIRECTIONS for one in given):
        raise ConfigError(
            f"direction is {direction!r}, but an objective is better where it is smaller or larger. Use 'minimize' (a loss) or "
            "'maximize' (a score), or a list of these, one for each value that compute_objective returns."
        )


def new_model(make: Callable[..., Any], trial: Any) -> Any:
    """A model of ``model_init``, which is given the trial if it takes anything."""
    return make(trial) if inspect.signature(make).parameters else make()


def arguments_of(trial: Any, arguments: TrainingArguments, space: Space, *, name: str | None) -> TrainingArguments:
    """The arguments with the trial's settings, and a folder of its own in the output folder."""
    found = dict(space(trial))
    known = {field.name for field in fields(arguments)}
    if unknown := [word for word in found if word not in known]:
        raise ConfigError(f"hp_space has {unknown[0]!r}, which is no training argument.{nearest(unknown[0], known)}")
    folder = Path(arguments.output_dir) / (name or f"run-{trial.number}")
    return replace(arguments, **found, output_dir=str(folder), run_name=name or arguments.run_name)
