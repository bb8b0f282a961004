"""``Trainer`` under its known names: a thin front to the loop."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headway.errors import ConfigError, DataError
from headway.neural.losses import IGNORED
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.tasks import Example, ModelFacts, Task, task_for_head
from headway.tasks import task as find_task
from headway.tasks.note import with_task
from headway.text import Tokenizer, check_tokenizer, with_note
from headway.training.batch import Batch, Count, LossSum, number_of_targets
from headway.training.callbacks import Callbacks, TrainerControl, made
from headway.training.checkpoints import TrainerState
from headway.training.class_loss import class_loss, class_weights
from headway.training.labelled import Measurable, RowReader, tells_references
from headway.training.loop import Job, TrainOutput, evaluate, train
from headway.training.measuring import Measured, label_ids, measure, predictions
from headway.training.objectives.heads import objective_of
from headway.training.order import shuffled_batches
from headway.training.processes import current, join
from headway.training.reporting import Reporter
from headway.training.rows import Collator, collated_batch, fingerprint, read_rows
from headway.training.step import mixed_precision
from headway.training.trackers import trackers


@dataclass(frozen=True)
class EvalPrediction:
    """What ``compute_metrics`` gets: logits and labels of all rows, in order. Unpacks as a pair.

    For tokens both are filled up with -100; for question answering both are pairs, of an answer's first and last token, with a
    row for each window.
    """

    predictions: Any
    label_ids: Any

    def __iter__(self) -> Any:
        return iter((self.predictions, self.label_ids))


@dataclass(frozen=True)
class PredictionOutput:
    """What ``Trainer.predict`` returns."""

    predictions: Any
    label_ids: Any
    metrics: dict[str, float]


class Trainer:
    """Trains a model on labelled rows, evaluates it, and writes checkpoints from which the same call goes on.

    ``train_dataset`` and ``eval_dataset`` are anything with ``len()`` and ``[index]``: lists of dicts, ``datasets``, torch
    data sets. Rows are tokenised (``input_ids`` and ``labels``), or hold the task's own columns when ``processing_class`` (or
    ``tokenizer``) is given: texts and labels, words and tags, questions, contexts and answers, prompts and choices. The task is
    the one of the model's head unless another is named. Nothing is padded.
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
        task: str | None = None,
        progress: bool = True,
    ) -> None:
        if model is None:
            raise ConfigError(
                "Trainer needs a model. Make one, for example with AutoModelForSequenceClassification.from_pretrained(…)."
            )
        self.args = args or TrainingArguments()
        join()
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
        self.task = task_of(model, task)
        self.objective = objective_of(model.head_name)
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
        options = {} if self.args.max_length is None else {"max_length": self.args.max_length}
        self.model.config = with_task(self.model.config, self.task.name, options)
        try:
            return train(self._job(), arguments, self.reporter, self.callbacks, use=self._use)
        finally:
            self.reporter.close()

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
        rows = self._measurable(self.eval_dataset if eval_dataset is None else eval_dataset, "eval_dataset")
        scores = evaluate(replace(self._empty_job(), evaluate=lambda: self._scores(rows)))
        self._tell("evaluate", metrics=scores)
        return scores

    def predict(self, test_dataset: Any) -> PredictionOutput:
        """Logits of all rows in order, and metrics (names begin with ``test_``) where the rows have labels.

        Logits of tokens are filled up with -100 behind shorter rows; those of question answering are a pair of arrays, with a row
        for each window.
        """
        rows = self._measurable(test_dataset, "test_dataset", labelled=False)
        self.model.eval()
        found = self._measured(rows, keep_logits=True)
        targets = label_ids([example.target for example in rows.examples]) if rows.is_labelled else None
        metrics = {f"test_{name}": value for name, value in self._metrics(rows, found).items()}
        self._tell("predict", metrics=metrics)
        return PredictionOutput(predictions(found.logits), targets, metrics)

    def save_model(self, output_dir: str | Path | None = None) -> None:
        """Write the model, and the tokenizer where there is one, to a folder that ``pipeline`` and transformers load."""
        folder = Path(output_dir or self.args.output_dir)
        processes = current()
        self.model.save_pretrained(folder, is_main_process=processes.is_first)
        if self.processing_class is not None and processes.is_first:
            self.processing_class.save_pretrained(folder)
        processes.wait()

    def _job(self) -> Job:
        examples = self._examples()
        held_out = None if self.eval_dataset is None else self._measurable(self.eval_dataset, "eval_dataset")
        lengths = np.array([example.tokens for example in examples])
        size, seed = self.args.per_device_train_batch_size, self.args.seed
        loss_sum, count = self._loss([example.target for example in examples])
        return replace(
            self._empty_job(),
            loss_sum=loss_sum,
            count=count,
            order=lambda epoch: shuffled_batches(lengths, seed=seed, epoch=epoch, max_texts=size),
            tokens=lambda indices: int(lengths[indices].sum()),
            load=lambda indices, epoch, number: self._load(examples, indices),
            evaluate=None if held_out is None else lambda: self._scores(held_out),
            identity={"data": fingerprint(examples)},
        )

    def _loss(self, targets: Sequence[Any]) -> tuple[LossSum, Count]:
        objective = self.objective
        if self.args.class_weights is None and not self.args.label_smoothing_factor:
            return objective.loss_sum, number_of_targets
        name = "class_weights" if self.args.class_weights is not None else "label_smoothing_factor"
        classes = [one for target in targets for one in (target if isinstance(target, list) else [target]) if one != IGNORED]
        is_class = self.model.config.problem_type not in ("regression", "multi_label_classification")
        if objective.class_logits is None or not is_class or not all(isinstance(one, int) for one in classes):
            raise ConfigError(f"{name} is for targets that are one class each, and these are not. Leave it out.")
        weights = class_weights(self.args, classes, labels=list(self.model.config.id2label.values()))
        weights = None if weights is None else weights.to(self.model.device)
        return class_loss(objective.class_logits, self.args, weights)

    def _empty_job(self) -> Job:
        return Job(
            model=self.model,
            loss_sum=self.objective.loss_sum,
            order=lambda epoch: [],
            load=lambda indices, epoch, number: self._load([], indices),
        )

    def _load(self, examples: Sequence[Example], indices: np.ndarray) -> Batch:
        if self.data_collator is not None:
            return collated_batch([self.train_dataset[int(index)] for index in indices], self.data_collator, self.model)
        return self.objective.batch([examples[int(index)] for index in indices], self.model.device)

    def _examples(self) -> list[Example]:
        """What is learnt from ``train_dataset``; a data collator may bring labels that the rows lack."""
        name, data = "train_dataset", check_data(self.train_dataset, "train_dataset")
        makes_labels = self.data_collator is not None
        examples = (
            self._reader(data, name).examples() if self._is_raw(data) else self._tokenised(data, name, labelled=not makes_labels)
        )
        if self.model.head_name == "sequence-classification" and isinstance(examples[0].target, list | tuple):
            problem = self.model.config.problem_type or "multi_label_classification"
            self.model.config = self.model.config.replace(problem_type=problem)
        return examples

    def _measurable(self, data: Any, name: str, *, labelled: bool = True) -> Measurable:
        """Rows on which the model is measured or, where they need no labels, used."""
        check_data(data, name)
        if not self._is_raw(data):
            return Measurable(self._tokenised(data, name, labelled=labelled))
        reader = self._reader(data, name)
        return replace(reader, labelled=labelled or tells_references(reader.rows, self.task, reader.facts)).measurable()

    def _tokenised(self, data: Any, name: str, *, labelled: bool) -> list[Example]:
        examples = read_rows(data, head=self.model.head_name, max_length=self._limit())
        unlabelled = next((index for index, example in enumerate(examples) if example.target is None), None)
        if labelled and unlabelled is not None:
            raise DataError(
                f"Row {unlabelled} of {name} has no label, so nothing can be learnt from it. Add a 'labels' or 'label' column."
            )
        return examples

    def _is_raw(self, data: Any) -> bool:
        return self.processing_class is not None and isinstance(data[0], Mapping) and "input_ids" not in data[0]

    def _reader(self, data: Any, name: str) -> RowReader:
        assert self.processing_class is not None
        self.task.trainable()
        rows = [data[index] for index in range(len(data))]
        facts = ModelFacts(tokenizer=self.processing_class, config=self.model.config)
        return RowReader(self.task, facts, rows, name, self.args.max_length)

    def _limit(self) -> int:
        limits = [self.model.architecture.encoder.max_tokens, self.args.max_length or math.inf]
        if self.processing_class is not None:
            limits.append(self.processing_class.model_max_length)
        return int(min(limits))

    def _measured(self, rows: Measurable, *, keep_logits: bool) -> Measured:
        return measure(
            self.model,
            rows,
            self.objective,
            precision=mixed_precision(self.model.device, bf16=self.args.bf16),
            keep_logits=keep_logits,
            tell=lambda: self._tell("prediction_step"),
        )

    def _scores(self, rows: Measurable) -> dict[str, float]:
        """Loss and metrics, with names that begin with ``eval_``. Logits are kept where metrics are computed from them."""
        wants_logits = self.compute_metrics is not None or (rows.asked is None and self._measures_logits)
        found = self._measured(rows, keep_logits=wants_logits)
        scores = {} if found.loss is None else {"loss": found.loss}
        return {f"eval_{name}": value for name, value in (scores | self._metrics(rows, found)).items()}

    @property
    def _measures_logits(self) -> bool:
        return self.task.training is not None and self.task.training.measure is not None

    def _metrics(self, rows: Measurable, found: Measured) -> dict[str, float]:
        targets = [example.target for example in rows.examples]
        if not rows.is_labelled:
            return {}
        if self.compute_metrics is not None:
            return dict(self.compute_metrics(EvalPrediction(predictions(found.logits), label_ids(targets))))
        if found.scores is not None:
            return dict(found.scores)
        if self.task.training is None or self.task.training.measure is None:
            return {}
        return dict(self.task.training.measure(predictions(found.logits), label_ids(targets), self.model.config))


def task_of(model: EncoderModel, name: str | None) -> Task:
    """The task of this name, or the one of the model's head; one that needs another head is a ``ConfigError``."""
    task = find_task(task_for_head(model.head_name) if name is None else name)
    if name is not None and task.training is not None and task.head != model.head_name:
        raise ConfigError(
            f"task is {name!r}, which is done with the head {task.head!r}, but the model has the head {model.head_name!r}. Load "
            "the checkpoint with the head of the task, or leave the task out."
        )
    return task


def check_data(data: Any, name: str) -> Any:
    """The rows; something else, or none, is a ``DataError``."""
    if data is None or not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        found = "missing" if data is None else f"a {type(data).__name__}"
        raise DataError(f"{name} is {found}. Give a list of dicts, or anything else with len() and [index].")
    if not len(data):
        raise DataError(f"{name} is empty, so there is nothing to learn from or to measure. Give at least one row.")
    return data
