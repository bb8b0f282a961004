"""``Trainer`` under its known names: a thin front to the loop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headway.errors import ConfigError
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.tasks import Example
from headway.tasks.note import with_task
from headway.text import Tokenizer, check_tokenizer, with_note
from headway.training import checks, figures, publishing, search
from headway.training.adapters import check_head, encoder_of
from headway.training.advice import advice_at_start
from headway.training.batch import Batch
from headway.training.callbacks import Callbacks, TrainerControl, made
from headway.training.checkpoints import TrainerState
from headway.training.class_loss import loss_for
from headway.training.held_out import HeldOut
from headway.training.loop import Job, TrainOutput, evaluate, train
from headway.training.machine import device_for
from headway.training.objectives.choosing import fitted, objective_for, vector_facts
from headway.training.order import SEQUENTIAL, epoch_batches, order_facts
from headway.training.own_loss import ComputeLoss, call_loss_func, with_own_loss
from headway.training.own_optimizer import own_optimizer
from headway.training.processes import current, join
from headway.training.reading import Reading
from headway.training.reporting import Reporter
from headway.training.rows import Collator, collated_batch, fingerprint
from headway.training.run_record import Record, write_record
from headway.training.scoring import ComputeMetrics, EvalPrediction, PredictionOutput, Scoring
from headway.training.sources import rows_of
from headway.training.step import mixed_precision
from headway.training.trackers import trackers

__all__ = ["EvalPrediction", "PredictionOutput", "Trainer"]


class Trainer:
    """Trains a model on labelled rows, evaluates it, and writes checkpoints from which the same call goes on.

    ``train_dataset`` and ``eval_dataset`` are lists of dicts, ``datasets``, data frames, paths of tables, torch data sets, or
    streams (with ``max_steps``); ``eval_dataset`` may be several by name. Rows are tokenised (``input_ids`` and ``labels``), or
    hold the task's own columns when ``processing_class`` (or ``tokenizer``) is given: texts and labels, words and tags,
    questions, contexts and answers, prompts and choices. The task is the one of the model's head unless another is named.
    Nothing is padded, unless for a loss of your own: ``compute_loss_func``, or a subclass with ``compute_loss``.
    ``callbacks`` are told of events and may steer (``headway.training.callbacks``).
    ``compute_metrics`` gets an ``EvalPrediction`` and returns scores by name; without it the task's own metrics are used.
    ``model_init`` makes a new model for each training. ``optimizers`` are an optimiser and its schedule, or None for the usual.
    """

    def __init__(  # noqa: PLR0913 (transformers' own arguments, under their names)
        self,
        model: Any = None,
        args: TrainingArguments | None = None,
        data_collator: Collator | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Tokenizer | None = None,
        *,
        tokenizer: Tokenizer | None = None,
        model_init: Callable[..., Any] | None = None,
        compute_loss_func: ComputeLoss | None = None,
        compute_metrics: ComputeMetrics | None = None,
        callbacks: Sequence[Any] | None = (),
        preprocess_logits_for_metrics: Callable[[Any, Any], Any] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        optimizer_cls_and_kwargs: Any = None,
        task: str | None = None,
        progress: bool = True,
    ) -> None:
        checks.check_methods(type(self), Trainer)
        checks.check_given(model, model_init, args)
        self._own_optimizer = own_optimizer(optimizers, optimizer_cls_and_kwargs, model_init=model_init)
        self.args = args or TrainingArguments()
        self.model_init = model_init
        self.processing_class = processing_class or tokenizer
        self.data_collator = data_collator
        self.train_dataset = train_dataset
        self.eval_dataset = eval_dataset
        self.compute_loss_func = compute_loss_func
        self.compute_metrics = compute_metrics
        self.preprocess_logits_for_metrics = preprocess_logits_for_metrics
        publishers = [publishing.Publisher(self.save_model)] if self.args.push_to_hub and current().is_first else []
        self.callbacks = Callbacks([*trackers(self.args), *(callbacks or ()), *publishers])
        self.state, self._named_task = TrainerState(), task
        self.is_world_process_zero = lambda: current().is_first
        self.is_local_process_zero = lambda: current().is_first_of_machine
        self._result: TrainOutput | None = None
        self._scores: dict[str, float] = {}
        self._rows: tuple[Any, Any] | None = None
        self._take(self.call_model_init() if model is None else model)
        is_shown = progress if self.args.disable_tqdm is None else not self.args.disable_tqdm
        self.reporter = Reporter(self.args.output_dir, progress=is_shown)
        self._tell("init_end")

    def _take(self, model: Any) -> None:
        """Train this model from now on."""
        join()
        self.model = model.to(device_for(use_cpu=self.args.use_cpu))
        self.encoder: EncoderModel = encoder_of(self.model)
        if self.args.freeze:
            self.encoder.freeze(*self.args.freeze)
        checks.check_trainable(self.model)
        check_head(self.model)
        checks.check_length(self.args, self.encoder)
        if self.args.gradient_checkpointing:
            self.encoder.gradient_checkpointing_enable()
        if self.processing_class is not None:
            check_tokenizer(self.processing_class, self.encoder.config, may_add=True)
        self.task = checks.task_of(self.encoder, self._named_task)
        checks.check_tokens(self.args, self.task)
        self.objective = objective_for(self.task, self.encoder, self.args)
        checks.check_logits(self.objective, compute_metrics=self.compute_metrics, compute_loss=self._has_own_loss or None)
        if self._has_own_loss:
            checks.check_own_loss(self.args)
            self.objective = with_own_loss(self.objective, self._own_loss, self.encoder, self.processing_class)

    def train(self, resume_from_checkpoint: bool | str | None = None, *, trial: Any = None, **known: Any) -> TrainOutput:
        """Train to the end. ``resume_from_checkpoint`` as in the arguments; given here it wins.

        ``trial`` is one of Optuna's. ``ignore_keys_for_eval`` changes nothing.
        """
        for name in known.keys() - {"ignore_keys_for_eval"}:
            raise ConfigError(f"train() has no argument {name!r}. Give settings to TrainingArguments.")
        if self.model_init is not None and (trial is not None or self._result is not None):
            self._take(self.call_model_init(trial))
        arguments = self.args
        if resume_from_checkpoint is not None:
            arguments = replace(arguments, resume_from_checkpoint=resume_from_checkpoint)
        checks.check_resume(arguments)
        if self.processing_class is not None:
            self.encoder.config = with_note(self.encoder.config, self.processing_class)
        options = {} if self.args.max_length is None else {"max_length": self.args.max_length}
        self.encoder.config = with_task(self.encoder.config, self.task.name, options)
        try:
            self._result = train(self._job(), arguments, self.reporter, self.callbacks, use=self._use)
        finally:
            self.reporter.close()
        return self._result

    def call_model_init(self, trial: Any = None) -> Any:
        """A new model from ``model_init``, which may take the trial."""
        assert self.model_init is not None
        torch.manual_seed(self.args.seed)
        return search.new_model(self.model_init, trial)

    def hyperparameter_search(
        self,
        hp_space: search.Space | None = None,
        compute_objective: search.Objective | None = None,
        *,
        n_trials: int = 20,
        direction: str | Sequence[str] = "minimize",
        backend: str | None = None,
        hp_name: Callable[[Any], str] | None = None,
        **options: Any,
    ) -> search.BestRun | list[search.BestRun]:
        """The best of so many trainings, each with a new model of ``model_init`` and settings that Optuna draws.

        ``hp_space`` draws them from a trial; by default rate, epochs, seed and batch size as in transformers.
        ``compute_objective`` makes of an evaluation what is to be smallest, or with ``direction="maximize"`` largest: by default
        the sum of all scores, or the loss where there are none. ``options`` are those of Optuna's ``create_study`` and
        ``optimize``. Each trial has a folder, ``run-N`` or ``hp_name``; the trainer's own arguments and model stay.
        """
        if self.model_init is None:
            raise ConfigError(
                "hyperparameter_search trains a new model in each trial, so Trainer has to know how to make one. Give "
                "Trainer(model_init=lambda: AutoModelForSequenceClassification.from_pretrained(…), …) instead of model."
            )
        objective = compute_objective or search.default_compute_objective
        arguments, model = self.args, self.model

        def run(trial: Any) -> Any:
            name = None if hp_name is None else hp_name(trial)
            self.args = search.arguments_of(trial, arguments, hp_space or search.default_hp_space, name=name)
            self.reporter = Reporter(self.args.output_dir, progress=self.reporter.is_shown)
            self.train(trial=trial)
            return objective(self.evaluate())

        try:
            return search.search(run, n_trials=n_trials, direction=direction, backend=backend, options=options)
        finally:
            self.args = arguments
            self._take(model)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Sequence[str] | None = None, *, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Loss and metrics on the data given, or on ``eval_dataset``; names begin with the prefix.

        Several sets by name are measured one by one, with their names behind the prefix. ``ignore_keys`` changes nothing.
        """
        data = self.eval_dataset if eval_dataset is None else eval_dataset
        if isinstance(data, str) and isinstance(self.eval_dataset, Mapping):
            data = self.eval_dataset.get(data, data)
        measured = self._held_out.scores_of(data, metric_key_prefix)
        scores = evaluate(Job(model=self.model, loss_sum=self.objective.loss_sum, evaluate=measured))
        self._scores = scores
        self._tell("evaluate", metrics=scores)
        return scores

    def predict(
        self, test_dataset: Any, ignore_keys: Sequence[str] | None = None, *, metric_key_prefix: str = "test"
    ) -> PredictionOutput:
        """Logits of all rows in order, and metrics (names begin with the prefix) where the rows have labels.

        Logits of tokens are filled up with -100; those of answers are a pair, a row a window. ``ignore_keys`` changes nothing.
        """
        checks.check_logits(self.objective, predict=test_dataset)
        self.model.eval()
        found = self._held_out.predict(test_dataset, metric_key_prefix)
        self._tell("predict", metrics=found.metrics)
        return found

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Tensor | None = None
    ) -> Any:
        """The loss of padded inputs, for subclasses to build on; where none is defined, training never pads and never comes here.

        It is the mean over the batch's targets, which ``num_items_in_batch`` counts.
        """
        if self.compute_loss_func is not None:
            loss, outputs = call_loss_func(self.compute_loss_func, model, inputs, num_items_in_batch)
        else:
            outputs = model(**inputs)
            loss = outputs["loss"]
        return (loss, outputs) if return_outputs else loss

    def save_model(self, output_dir: str | Path | None = None) -> None:
        """Write the model, and the tokenizer where there is one, to a folder that ``pipeline`` and transformers load."""
        folder = Path(output_dir or self.args.output_dir)
        if current().is_first:
            self.model.save_pretrained(folder)
            if self.processing_class is not None:
                self.processing_class.save_pretrained(folder)
            self.objective.write(folder, self.encoder)

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        *,
        token: str | bool | None = None,
        revision: str | None = None,
    ) -> str:
        """Save the model to ``output_dir``, publish it, and return the address of the commit. It always waits for the end."""
        publishing.finish(self.callbacks.all)
        self.save_model()
        message = commit_message or "End of training"
        return publishing.push_once(Path(self.args.output_dir), self.args, message=message, token=token, revision=revision)

    def create_model_card(self, **facts: Any) -> None:
        """Write README.md, the model's card, beside what else says what the run was; only after ``train``."""
        if facts:
            raise ConfigError(
                f"The card is written from the run itself, so {', '.join(facts)} cannot be given. Change README.md afterwards."
            )
        if self._result is None:
            raise ConfigError("There is no run to write a card of yet. Call train() first.")
        record = Record(
            folder=Path(self.args.output_dir), settings=self.args, model=self.encoder, task=self.task.name, state=self.state,
            result=self._result, scores=self._scores, data={},
        )  # fmt: skip
        self.reporter.advise(write_record(record))

    def log(self, logs: Mapping[str, Any], start_time: float | None = None) -> None:
        """Record figures of your own, where those of the training go. ``start_time`` changes nothing."""
        self.reporter.log(self.state, dict(logs))
        self._tell("log", logs=self.state.log_history[-1])

    def log_metrics(self, split: str, metrics: Mapping[str, Any]) -> None:
        """Show figures by name."""
        self.reporter.advise(figures.table(split, metrics).splitlines())

    def save_metrics(self, split: str, metrics: Mapping[str, Any], *, combined: bool = True) -> None:
        """Write figures to ``SPLIT_results.json`` and, with those of other splits, to ``all_results.json``."""
        figures.save_metrics(self.args.output_dir, split, metrics, combined=combined)

    def save_state(self) -> None:
        """Write where training stands, with its log, to ``trainer_state.json``."""
        figures.save_state(self.args.output_dir, self.state)

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

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The older name of ``processing_class``."""
        return self.processing_class

    def get_num_trainable_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(weight.numel() for weight in self.model.parameters() if weight.requires_grad)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(checks.ABSENT.get(name, f"Trainer has no attribute {name!r}."))

    def _use(self, state: TrainerState) -> None:
        self.state = state

    def _tell(self, event: str, **given: Any) -> None:
        self.callbacks.tell(event, self.args, self.state, model=self.model, processing_class=self.processing_class, **given)

    @property
    def _has_own_loss(self) -> bool:
        return self.compute_loss_func is not None or type(self).compute_loss is not Trainer.compute_loss

    def _own_loss(self, model: EncoderModel, inputs: dict[str, Any], *, num_items_in_batch: Tensor) -> Any:
        return self.compute_loss(self.model, inputs, num_items_in_batch=num_items_in_batch)

    @property
    def _held_out(self) -> HeldOut:
        """How data is read and the model measured on it, as the arguments are now."""
        reading = Reading(
            self.encoder, self.task.as_learnt, self.processing_class, self.args.max_length, self.args.label_all_tokens
        )
        scoring = Scoring(
            model=self.encoder,
            task=self.task,
            objective=self.objective,
            precision=mixed_precision(self.encoder.device, bf16=self.args.bf16, fp16=self.args.fp16),
            compute_metrics=self.compute_metrics,
            preprocess=self.preprocess_logits_for_metrics,
            with_inputs=bool(self.args.include_for_metrics),
            loss_alone=self.args.prediction_loss_only,
            tell=lambda: self._tell("prediction_step"),
        )
        return HeldOut(
            reading, scoring, self.data_collator, own_loss=self._has_own_loss, rows_at_once=self.args.per_device_eval_batch_size
        )

    def _job(self) -> Job:
        checks.check_held_out(self.args, self.eval_dataset)
        rows = self._train_rows
        self.encoder.config = self._held_out.reading.config_for(rows)
        examples = self._examples(rows)
        self.objective = fitted(self.objective, examples, self.reporter.advise)
        if self.compute_metrics is None and not self.args.prediction_loss_only:
            checks.check_metric(self.args, lambda: self._held_out.tried(self.eval_dataset))
        lengths = np.array([example.tokens for example in examples])
        self.reporter.advise(advice_at_start(self.encoder, examples, self.args, held_out=self.eval_dataset))
        loss_sum, count = loss_for(self.objective, self.encoder, self.args, [example.target for example in examples])
        return Job(
            model=self.model,
            loss_sum=loss_sum,
            count=count,
            order=lambda epoch: epoch_batches(lengths, self.args, epoch),
            tokens=None if self.args.train_sampling_strategy == SEQUENTIAL else lambda indices: int(lengths[indices].sum()),
            load=lambda indices, epoch, number: self._load(rows, examples, indices),
            evaluate=None if self.eval_dataset is None else self._held_out.scores_of(self.eval_dataset, "eval"),
            own_optimizer=self._own_optimizer,
            identity={"data": fingerprint(examples), **order_facts(self.args), **vector_facts(self.args)},
        )

    @property
    def _train_rows(self) -> Any:
        steps = self.args.max_steps * self.args.gradient_accumulation_steps * self.args.per_device_train_batch_size
        if self._rows is None or self._rows[0] is not self.train_dataset:
            self._rows = self.train_dataset, rows_of(self.train_dataset, "train_dataset", at_most=steps if steps > 0 else None)
        return self._rows[1]

    def _examples(self, rows: Any) -> list[Example]:
        """What is learnt from the rows; a data collator may bring labels that they lack."""
        examples = self._held_out.reading.examples(rows, "train_dataset", labelled=self.data_collator is None)
        if self.encoder.head_name == "sequence-classification" and isinstance(examples[0].target, list | tuple):
            problem = self.encoder.config.problem_type or "multi_label_classification"
            self.encoder.config = self.encoder.config.replace(problem_type=problem)
        if self.data_collator is None:
            checks.check_targets([example.target for example in examples], self.encoder)
        return examples

    def _load(self, rows: Any, examples: Sequence[Example], indices: np.ndarray) -> Batch:
        if self.data_collator is not None and "input_ids" in rows[0]:
            chosen = [rows[int(index)] for index in indices]
            return collated_batch(chosen, self.data_collator, self.encoder, keep=self._has_own_loss)
        return self.objective.batch([examples[int(index)] for index in indices], torch.device("cpu"))
