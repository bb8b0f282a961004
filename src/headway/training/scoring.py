"""A trainer's model on held-out rows: its loss and scores by name, and its logits, as transformers' Trainer gives them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from headway.errors import ConfigError
from headway.neural.model import EncoderModel
from headway.tasks import Task
from headway.training.labelled import Measurable
from headway.training.measuring import Measured, input_ids, label_ids, measure, predictions
from headway.training.objectives.heads import Objective
from headway.training.processes import current
from headway.training.step import Precision


@dataclass(frozen=True)
class EvalPrediction:
    """What ``compute_metrics`` gets: logits and labels of all rows, in order. Unpacks as a pair, or with inputs as three.

    For tokens both are filled up with -100; for question answering both are pairs, of an answer's first and last token, with a
    row for each window. ``inputs`` are the tokens' ids, filled up with -100 too, where ``include_for_metrics`` asks for them.
    """

    predictions: Any
    label_ids: Any
    inputs: Any = None

    def __iter__(self) -> Iterator[Any]:
        return iter(
            (self.predictions, self.label_ids) if self.inputs is None else (self.predictions, self.label_ids, self.inputs)
        )

    def __getitem__(self, place: int) -> Any:
        return tuple(self)[place]


@dataclass(frozen=True)
class PredictionOutput:
    """What ``Trainer.predict`` returns."""

    predictions: Any
    label_ids: Any
    metrics: dict[str, float]


ComputeMetrics = Callable[[EvalPrediction], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How a model is measured."""

    model: EncoderModel
    task: Task
    objective: Objective
    precision: Precision
    compute_metrics: ComputeMetrics | None = None
    preprocess: Callable[[Any, Any], Any] | None = None
    """From all logits and labels, as tensors, to what ``compute_metrics`` and ``predict`` get of the logits."""
    with_inputs: bool = False
    """Whether ``compute_metrics`` gets the tokens' ids too."""
    loss_alone: bool = False
    tell: Callable[[], None] = lambda: None

    def scores(self, rows: Measurable, prefix: str) -> dict[str, float]:
        """Loss and metrics, with names that begin with the prefix. Logits are kept where metrics are computed from them."""
        wants_logits = self.compute_metrics is not None or (rows.asked is None and self._measures_logits)
        found = self._measured(rows, keep_logits=wants_logits and not self.loss_alone)
        scores = {} if found.loss is None else {"loss": found.loss}
        more = {} if self.loss_alone else current().from_first(lambda: self._metrics(rows, found, prefix))
        return {named(name, prefix): value for name, value in (scores | more).items()}

    def predict(self, rows: Measurable, prefix: str) -> PredictionOutput:
        """Logits of all rows in order, and metrics where the rows have labels."""
        found = self._measured(rows, keep_logits=True)
        targets = label_ids([example.target for example in rows.examples]) if rows.is_labelled else None
        metrics = {named(name, prefix): value for name, value in self._metrics(rows, found, prefix).items()}
        return PredictionOutput(self._logits(found, targets), targets, metrics)

    @property
    def _measures_logits(self) -> bool:
        return self.task.training is not None and self.task.training.measure is not None

    def _measured(self, rows: Measurable, *, keep_logits: bool) -> Measured:
        return measure(self.model, rows, self.objective, precision=self.precision, keep_logits=keep_logits, tell=self.tell)

    def _logits(self, found: Measured, targets: Any) -> Any:
        logits = predictions(found.logits)
        if self.preprocess is None:
            return logits
        given = [_tensors(arrays) for arrays in (logits, targets)]
        made = self.preprocess(*given)
        return tuple(one.numpy() for one in made) if isinstance(made, tuple) else made.numpy()

    def _metrics(self, rows: Measurable, found: Measured, prefix: str) -> dict[str, float]:
        if not rows.is_labelled:
            return {}
        targets = [example.target for example in rows.examples]
        if self.compute_metrics is not None:
            labels = label_ids(targets)
            inputs = input_ids(rows.examples) if self.with_inputs else None
            return checked_metrics(self.compute_metrics(EvalPrediction(self._logits(found, labels), labels, inputs)))
        if found.scores is not None:
            return dict(found.scores)
        if self.task.training is None or self.task.training.measure is None:
            return {}
        return dict(self.task.training.measure(predictions(found.logits), label_ids(targets), self.model.config))


def named(name: str, prefix: str) -> str:
    """A metric's name with the prefix, which it may have already."""
    return name if name.startswith(f"{prefix}_") else f"{prefix}_{name}"


def checked_metrics(found: Any) -> dict[str, float]:
    """What ``compute_metrics`` returned, if it is scores by name."""
    if not isinstance(found, Mapping):
        raise ConfigError(
            f'compute_metrics returned a {type(found).__name__}, but scores have names. Return a dict, such as {{"accuracy": …}}.'
        )
    return {str(name): value.item() if hasattr(value, "item") else value for name, value in found.items()}


def _tensors(arrays: Any) -> Any:
    if isinstance(arrays, tuple):
        return tuple(map(torch.from_numpy, arrays))
    return None if arrays is None else torch.from_numpy(arrays)
