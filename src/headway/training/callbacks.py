"""Callbacks under their known names: what users run at the events of a training, and how they steer it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.core.config import nearest
from headway.errors import ConfigError

if TYPE_CHECKING:
    from headway.settings.training import TrainingArguments
    from headway.training.checkpoints import TrainerState


@dataclass
class TrainerControl:
    """What is to happen next. Callbacks may set any of these; each is unset again once it was done."""

    should_training_stop: bool = False
    should_epoch_stop: bool = False
    should_save: bool = False
    should_evaluate: bool = False
    should_log: bool = False


EVENTS = {
    "init_end": "the trainer was made",
    "train_begin": "training begins",
    "train_end": "training has ended",
    "epoch_begin": "an epoch begins",
    "epoch_end": "an epoch has ended",
    "step_begin": "the first batch of a step is about to run",
    "substep_end": "a batch of a step has run, and more follow",
    "pre_optimizer_step": "gradients are there and clipped, weights have not changed yet",
    "optimizer_step": "weights have changed, gradients are still there",
    "step_end": "a step has ended",
    "prediction_step": "a batch was evaluated or predicted",
    "evaluate": "an evaluation has ended; ``metrics``",
    "predict": "a prediction has ended; ``metrics``",
    "save": "a checkpoint was written",
    "log": "figures were logged; ``logs``",
}
"""When callbacks are told: a method of this name with ``on_`` before it."""


class TrainerCallback:
    """Base of callbacks: a method ``on_train_begin``, ``on_step_end`` … is called at that event (``EVENTS`` lists them).

    Each is given the arguments, the state and the control, and by name what else there is: ``model``, ``optimizer``,
    ``processing_class``, and what the event brings. The control may be changed in place or returned. A callback that has to go on
    after an interruption as if there had been none has two methods more: ``state()``, which returns what a checkpoint keeps of it
    (ready for JSON), and ``load_state(state)``.
    """


class EarlyStoppingCallback(TrainerCallback):
    """Ends training when the metric of the best model was not better for some evaluations in a row.

    ``early_stopping_threshold`` is by how much it has to be better to count.
    """

    def __init__(self, early_stopping_patience: int = 1, early_stopping_threshold: float = 0.0) -> None:
        if early_stopping_patience < 1:
            raise ConfigError(
                f"early_stopping_patience is {early_stopping_patience}; it counts evaluations and must be at least 1."
            )
        self.early_stopping_patience = early_stopping_patience
        self.early_stopping_threshold = early_stopping_threshold
        self.waited = 0

    def state(self) -> dict[str, Any]:
        """How many evaluations in a row were not better."""
        return {"waited": self.waited}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what ``state`` returned."""
        self.waited = state["waited"]

    def on_train_begin(self, args: Any, state: Any, control: TrainerControl, **given: Any) -> TrainerControl | None:
        """Refuse to wait for evaluations that never come."""
        if args.eval_strategy == "no":
            raise ConfigError(
                "EarlyStoppingCallback looks at evaluations, but eval_strategy is 'no'. Use eval_strategy='epoch' or 'steps'."
            )
        return None

    def on_evaluate(self, args: Any, state: Any, control: TrainerControl, **given: Any) -> TrainerControl | None:
        """Count, and stop when it was enough."""
        value = metric_value(given["metrics"], args)
        is_better = is_improvement(value, state.best_metric, args, least=self.early_stopping_threshold)
        self.waited = 0 if is_better else self.waited + 1
        control.should_training_stop |= self.waited >= self.early_stopping_patience
        return control


def metric_name(args: "TrainingArguments") -> str:
    """The metric by which models are compared, as it stands among an evaluation's scores."""
    name = args.metric_for_best_model or "loss"
    return name if name.startswith("eval_") else f"eval_{name}"


def metric_value(metrics: dict[str, float], args: "TrainingArguments") -> float:
    """Its value; one that was not measured is a ``ConfigError`` that lists those that were."""
    name = metric_name(args)
    if name not in metrics:
        known = ", ".join(key.removeprefix("eval_") for key in metrics)
        raise ConfigError(
            f"metric_for_best_model is {name.removeprefix('eval_')!r}, but evaluations here measure {known}. Name one of these, "
            "or return it from compute_metrics."
        )
    return float(metrics[name])


def is_improvement(value: float, best: float | None, args: "TrainingArguments", *, least: float = 0.0) -> bool:
    """Whether a value of the metric is better than the best so far, by more than ``least``; the first one is."""
    if best is None:
        return True
    return (value - best if is_greater_better(args) else best - value) > least


def is_greater_better(args: "TrainingArguments") -> bool:
    """Whether more of the metric by which models are compared is better."""
    return not metric_name(args).endswith("loss") if args.greater_is_better is None else args.greater_is_better


class Callbacks:
    """The callbacks of a trainer, told of each event in the order in which they were added."""

    def __init__(self, callbacks: Iterable[Any]) -> None:
        self.all = [made(callback) for callback in callbacks]
        self.control = TrainerControl()

    def tell(self, event: str, args: "TrainingArguments", state: "TrainerState", **given: Any) -> None:
        """Tell all of them of an event."""
        for callback in self.all:
            method = getattr(callback, f"on_{event}", None)
            found = None if method is None else method(args, state, self.control, **given)
            if isinstance(found, TrainerControl):
                self.control = found

    def find(self, callback: Any) -> Any:
        """The one that is this callback or of this class, or None."""
        return next((one for one in self.all if one is callback or type(one) is callback), None)

    def states(self) -> list[dict[str, Any]]:
        """What checkpoints keep of those that want to be kept, with their class."""
        return [{"class": type(one).__name__, **one.state()} for one in self.all if hasattr(one, "state")]

    def load_states(self, states: list[dict[str, Any]]) -> None:
        """Give each what was kept of the next one of its class."""
        waiting = list(states)
        for callback in self.all:
            found = next((state for state in waiting if state["class"] == type(callback).__name__), None)
            if found is not None:
                waiting.remove(found)
                callback.load_state({name: value for name, value in found.items() if name != "class"})


def made(callback: Any) -> Any:
    """A callback, made if it is a class; one for an event that there is not is a ``ConfigError``."""
    events = [name.removeprefix("on_") for name in dir(callback) if name.startswith("on_")]
    if unknown := [event for event in events if event not in EVENTS and event != "push_begin"]:
        raise ConfigError(
            f"{callback!r} has a method on_{unknown[0]}, but there is no such event, so it would never be called."
            f"{nearest(unknown[0], set(EVENTS))}"
        )
    return callback() if isinstance(callback, type) else callback
