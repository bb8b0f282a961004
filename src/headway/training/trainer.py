"""``Trainer`` under its known names: a thin front to the loop."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headway.core.batching import plan_batches
from headway.errors import ConfigError, DataError
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.tasks import task as find_task
from headway.tasks.task import Task
from headway.text import Tokenizer, check_tokenizer, with_note
from headway.training.batch import Batch, Count, LossSum, number_of_targets, text_logits, text_loss, token_logits, token_loss
from headway.training.callbacks import Callbacks, TrainerControl, made
from headway.training.checkpoints import TrainerState
from headway.training.class_loss import class_loss, class_weights
from headway.training.loop import Job, TrainOutput, evaluate, train
from headway.training.order import shuffled_batches
from headway.training.reporting import Reporter
from headway.training.rows import Collator, Row, collated_batch, fingerprint, make_batch, read_rows
from headway.training.step import mixed_precision
from headway.training.trackers import trackers

EVALUATION_TOKENS = 8192


@dataclass(frozen=True)
class EvalPrediction:
    """What ``compute_metrics`` gets: logits and labels of all rows, in order. Unpacks as a pair."""

    predictions: np.ndarray
    label_ids: np.ndarray

    def __iter__(self) -> Any:
        return iter((self.predictions, self.label_ids))


@dataclass(frozen=True)
class PredictionOutput:
    """What ``Trainer.predict`` returns."""

    predictions: np.ndarray
    label_ids: np.ndarray | None
    metrics: dict[str, float]


class Trainer:
    """Trains a model on labelled rows, evaluates it, and writes checkpoints from which the same call goes on.

    ``train_dataset`` and ``eval_dataset`` are anything with ``len()`` and ``[index]``: lists of dicts, ``datasets``, torch
    data sets. Rows are tokenised
    (``input_ids`` and ``labels``), or hold a text and a label column when ``processing_class`` (or ``tokenizer``) is given.
    Nothing is padded.
    ``callbacks`` are told of events and may steer (``headway.training.callbacks``).
    ``compute_metrics`` gets an ``EvalPrediction`` and returns scores by name; without it the task's own metrics are used.
    """

    def __init__(
        self,
        model: EncoderModel | None = None,
        args: TrainingArguments | None = None,
        data_collator: Collator | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Tokenizer | None = None,
        *,
        tokenizer: Tokenizer | None = None,
        compute_metrics: Callable[[EvalPrediction], Mapping[str, float]] | None = None,
        callbacks: Sequence[Any] = (),
        task: str = "text-classification",
        progress: bool = True,
    ) -> None:
        if model is None:
            raise ConfigError(
                "Trainer needs a model. Make one, for example with AutoModelForSequenceClassification.from_pretrained(…)."
            )
        self.args = args or TrainingArguments()
        self.model = model.to("cuda" if torch.cuda.is_available() else "cpu")
        if self.args.freeze:
            self.model.freeze(*self.args.freeze)
        self.processing_class = processing_class or tokenizer
        if self.processing_class is not None:
            check_tokenizer(self.processing_class, model.config, may_add=True)
        self.data_collator = data_collator
        self.train_dataset = train_dataset
        self.eval_dataset = eval_dataset
        self.compute_metrics = compute_metrics
        self.task: Task = find_task(task)
        self.callbacks = Callbacks([*trackers(self.args), *callbacks])
        self.state = TrainerState()
        self.reporter = Reporter(self.args.output_dir, progress=progress)
        self._tell("init_end")

    def train(self, resume_from_checkpoint: bool | str | None = None) -> TrainOutput:
        """Train to the end. ``resume_from_checkpoint`` as in the arguments; given here it wins."""
        arguments = self.args
        if resume_from_checkpoint is not None:
            arguments = replace(arguments, resume_from_checkpoint=resume_from_checkpoint)
        if self.processing_class is not None:
            self.model.config = with_note(self.model.config, self.processing_class)
        return train(self._job(), arguments, self.reporter, self.callbacks, use=self._use)

    def add_callback(self, callback: Any) -> None:
        """Let a callback, or one made of this class, be told of events too."""
        self.callbacks.all.append(made(callback))

    def pop_callback(self, callback: Any) -> Any:
        """Take a callback, or the first of this class, out, and return it; None where there is none."""
        found = self.callbacks.find(callback)
        if found is not None:
            self.callbacks.all.remove(found)
        return found

    def remove_callback(self, callback: Any) -> None:
        """Take a callback, or the first of this class, out."""
        self.pop_callback(callback)

    @property
    def control(self) -> TrainerControl:
        """What callbacks want to happen next."""
        return self.callbacks.control

    def _use(self, state: TrainerState) -> None:
        self.state = state

    def _tell(self, event: str, **given: Any) -> None:
        self.callbacks.tell(event, self.args, self.state, model=self.model, processing_class=self.processing_class, **given)

    def evaluate(self, eval_dataset: Any = None) -> dict[str, float]:
        """Loss and metrics on the data given, or on ``eval_dataset``; names begin with ``eval_``."""
        rows = self._rows(self.eval_dataset if eval_dataset is None else eval_dataset, "eval_dataset")
        scores = evaluate(replace(self._empty_job(), evaluate=lambda: self._scores(rows, "eval_")))
        self._tell("evaluate", metrics=scores)
        return scores

    def predict(self, test_dataset: Any) -> PredictionOutput:
        """Logits of all rows in order, and metrics (names begin with ``test_``) where the rows have labels."""
        rows = self._rows(test_dataset, "test_dataset", labelled=False)
        self.model.eval()
        logits = self._logits(rows)
        targets = None if any(row.target is None for row in rows) else np.array([row.target for row in rows])
        found = {} if targets is None else self._metrics(logits, targets)
        metrics = {f"test_{name}": value for name, value in found.items()}
        self._tell("predict", metrics=metrics)
        return PredictionOutput(logits, targets, metrics)

    def save_model(self, output_dir: str | Path | None = None) -> None:
        """Write the model, and the tokenizer where there is one, to a folder that ``pipeline`` and transformers load."""
        folder = Path(output_dir or self.args.output_dir)
        self.model.save_pretrained(folder)
        if self.processing_class is not None:
            self.processing_class.save_pretrained(folder)

    def _job(self) -> Job:
        rows = self._rows(self.train_dataset, "train_dataset")
        held_out = None if self.eval_dataset is None else self._rows(self.eval_dataset, "eval_dataset")
        lengths = np.array([len(row.tokens) for row in rows])
        size, seed = self.args.per_device_train_batch_size, self.args.seed
        loss_sum, count = self._loss([row.target for row in rows])
        return replace(
            self._empty_job(),
            loss_sum=loss_sum,
            count=count,
            order=lambda epoch: shuffled_batches(lengths, seed=seed, epoch=epoch, max_texts=size),
            load=lambda indices, epoch, number: self._load(rows, indices),
            evaluate=None if held_out is None else lambda: self._scores(held_out, "eval_"),
            identity={"data": fingerprint(rows)},
        )

    def _loss(self, targets: Sequence[Any]) -> tuple[LossSum, Count]:
        is_text = self.model.head_name == "sequence-classification"
        if self.args.class_weights is None and not self.args.label_smoothing_factor:
            return text_loss if is_text else token_loss, number_of_targets
        name = "class_weights" if self.args.class_weights is not None else "label_smoothing_factor"
        if not all(isinstance(target, int) for target in targets) or self.model.config.problem_type == "regression":
            raise ConfigError(f"{name} is for targets that are one class each, and these are not. Leave it out.")
        weights = class_weights(self.args, targets, labels=list(self.model.config.id2label.values()))
        weights = None if weights is None else weights.to(self.model.device)
        return class_loss(text_logits if is_text else token_logits, self.args, weights)

    def _empty_job(self) -> Job:
        loss_sum = token_loss if self.model.head_name == "masked-lm" else text_loss
        return Job(
            model=self.model,
            loss_sum=loss_sum,
            order=lambda epoch: [],
            load=lambda indices, epoch, number: self._load([], indices),
        )

    def _load(self, rows: Sequence[Row], indices: np.ndarray) -> Batch:
        if self.data_collator is not None:
            return collated_batch([self.train_dataset[int(index)] for index in indices], self.data_collator, self.model)
        return make_batch([rows[int(index)] for index in indices], device=self.model.device)

    def _rows(self, data: Any, name: str, *, labelled: bool = True) -> list[Row]:
        if data is None or not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
            found = "missing" if data is None else f"a {type(data).__name__}"
            raise DataError(f"{name} is {found}. Give a list of dicts, or anything else with len() and [index].")
        if not len(data):
            raise DataError(f"{name} is empty, so there is nothing to learn from or to measure. Give at least one row.")
        limit = self._limit()
        is_raw = self.processing_class is not None and isinstance(data[0], Mapping) and "input_ids" not in data[0]
        rows = self._encode_rows(data, limit) if is_raw else read_rows(data, max_length=limit)
        unlabelled = next((index for index, row in enumerate(rows) if row.target is None), None)
        if labelled and unlabelled is not None and self.data_collator is None:
            raise DataError(
                f"Row {unlabelled} of {name} has no label, so nothing can be learnt from it. Add a 'labels' or 'label' column."
            )
        return rows

    def _encode_rows(self, data: Any, limit: int) -> list[Row]:
        assert self.processing_class is not None
        training = self.task.trainable()
        rows = [data[index] for index in range(len(data))]
        columns = training.find_columns(rows[0])
        names = [name for _, name in sorted(self.model.config.id2label.items())]
        examples = training.encode_rows(rows, columns, tokenizer=self.processing_class, labels=names, max_length=limit)
        return [Row(example.tokens, example.target) for example in examples]

    def _limit(self) -> int:
        limits = [self.model.architecture.encoder.max_tokens, self.args.max_length or math.inf]
        if self.processing_class is not None:
            limits.append(self.processing_class.model_max_length)
        return int(min(limits))

    def _scores(self, rows: Sequence[Row], prefix: str) -> dict[str, float]:
        logits = self._logits(rows)
        targets = np.array([row.target for row in rows])
        loss = self.model.loss_sum(torch.from_numpy(logits), torch.from_numpy(targets)) / len(rows)
        return {f"{prefix}loss": float(loss)} | {
            f"{prefix}{name}": value for name, value in self._metrics(logits, targets).items()
        }

    def _metrics(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        if self.compute_metrics is not None:
            return dict(self.compute_metrics(EvalPrediction(logits, targets)))
        is_single = targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer)
        return self.task.trainable().metrics(logits, targets) if is_single else {}

    def _logits(self, rows: Sequence[Row]) -> np.ndarray:
        """One row of logits a text, in order. Length-sorted batches within a token budget; nothing but logits is kept."""
        if self.model.head_name != "sequence-classification":
            raise ConfigError(
                "Evaluation and prediction here need a sequence classifier, and this model has the head "
                f"{self.model.head_name!r}."
            )
        found: list[Any] = [None] * len(rows)
        lengths = [len(row.tokens) for row in rows]
        plan = plan_batches(lengths, max_tokens=EVALUATION_TOKENS, max_texts=None)
        with torch.inference_mode(), mixed_precision(self.model.device, bf16=self.args.bf16)():
            for indices in plan:
                batch = make_batch([replace(rows[index], target=0) for index in indices], device=self.model.device)
                logits = self.model.classify(self.model.encode(batch.packed), batch.packed)
                for index, row in zip(indices, batch.packed.unsorted(logits).float().cpu().numpy(), strict=True):
                    found[index] = row
                self._tell("prediction_step")
        return np.stack(found)
