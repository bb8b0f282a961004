"""What a training cannot be made of: refused before the first step, by the argument's name and with what to do instead."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from headway.errors import ConfigError, DataError
from headway.neural.losses import IGNORED
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.tasks import Task, task_for_head
from headway.tasks import task as find_task
from headway.training.callbacks import metric_value
from headway.training.checkpoints import STATE
from headway.training.objectives.heads import Objective

LOADERS = (
    "Trainer has no {name}: batches are packed, not padded, and made where they are used. A data_collator may make them, or "
    "iterate over your own DataLoader with a loop of your own."
)
OPTIMIZER = (
    "Trainer has no {name} before train(): optim, optim_args, lr_scheduler_type and lr_scheduler_kwargs say what they are, or "
    "optimizers, or optimizer_cls_and_kwargs."
)
ABSENT: Mapping[str, str] = {
    **{name: LOADERS.format(name=name) for name in ("get_train_dataloader", "get_eval_dataloader", "get_test_dataloader")},
    **{
        name: OPTIMIZER.format(name=name)
        for name in ("create_optimizer", "create_scheduler", "create_optimizer_and_scheduler", "optimizer", "lr_scheduler")
    },
    "training_step": "Trainer has no training_step: write compute_loss in a subclass, or a callback for what happens "
    "around a step.",
    "_get_train_sampler": "Trainer has no sampler: use train_sampling_strategy, or rows in the order that you want.",
    "_prepare_inputs": "Trainer has no _prepare_inputs: use a data_collator.",
    "prediction_step": "Trainer has no prediction_step: use predict(), compute_metrics or preprocess_logits_for_metrics.",
    "evaluation_loop": "Trainer has no evaluation_loop: use evaluate() or predict().",
    "accelerator": "Trainer has no accelerator: Accelerate is not used.",
    "model_wrapped": "Trainer has no model_wrapped: trainer.model is the model.",
}
"""What transformers' Trainer has and this one cannot have, and what to use instead."""


NOT_CALLED: Mapping[str, str] = {
    "evaluate": "compute_metrics, or a callback with on_evaluate",
    "log": "a callback with on_log",
}
"""Methods that train() does not go through, and what to use where it is to do more."""


def check_methods(kind: type, usual: type) -> None:
    """Refuse a subclass whose methods would never be called, and warn of those that train() does not call."""
    for name in ABSENT:
        if hasattr(kind, name) and not hasattr(usual, name):
            raise ConfigError(f"{kind.__name__} defines {name}, which nothing here calls. {ABSENT[name]}")
    for name, instead in NOT_CALLED.items():
        if getattr(kind, name) is not getattr(usual, name):
            warnings.warn(
                f"{kind.__name__} defines {name}, which train() does not call. For what it is to do use {instead}.", stacklevel=4
            )


def check_given(model: Any, model_init: Any, arguments: Any) -> None:
    """Refuse what Trainer cannot begin with."""
    if model is None and model_init is None:
        raise ConfigError(
            "Trainer needs a model. Make one, for example with AutoModelForSequenceClassification.from_pretrained(…), or give "
            "model_init, a function that does."
        )
    if model is not None and model_init is not None:
        raise ConfigError("model and model_init are both given, and each says what is trained. Leave one out.")
    if arguments is not None and not isinstance(arguments, TrainingArguments):
        raise ConfigError(
            f"args is a {type(arguments).__module__}.{type(arguments).__name__}, but Trainer needs "
            f"headway.TrainingArguments. Make "
            "them with the same names."
        )


def check_trainable(model: Any) -> None:
    """Refuse a model of which nothing is trained."""
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ConfigError(
            "All weights of the model are frozen, so nothing would be learnt. Name fewer parts in freeze, or unfreeze the head: "
            "model.unfreeze('head')."
        )


def check_length(arguments: TrainingArguments, model: EncoderModel) -> None:
    """Refuse texts that are longer than the model reads."""
    limit, asked = model.architecture.encoder.max_tokens, arguments.max_length
    if asked is not None and limit is not None and asked > limit:
        raise ConfigError(
            f"max_length is {asked}, but this model reads {int(limit)} tokens at most. Use at most {int(limit)}, or "
            f"None for that."
        )


def check_tokens(arguments: TrainingArguments, task: Task) -> None:
    """Refuse to learn from all tokens of words where no words are labelled."""
    if arguments.label_all_tokens != "no" and (task.training is None or task.training.by_all_tokens is None):
        raise ConfigError(
            f"label_all_tokens says what the further tokens of words learn, but in the task {task.name!r} words have no labels. "
            "Leave it out."
        )


def check_resume(arguments: TrainingArguments) -> None:
    """Refuse a folder to go on from that is none."""
    folder = arguments.resume_from_checkpoint
    if isinstance(folder, str) and not (Path(folder) / STATE).is_file():
        raise ConfigError(
            f"resume_from_checkpoint is {folder!r}, which is no folder of a checkpoint (it has no {STATE}). Name one such as "
            f"{arguments.output_dir}/checkpoint-500, or True for the newest in output_dir."
        )


def check_logits(objective: Objective, **given: Any) -> None:
    """Refuse what works on logits where there are none."""
    asked = [name for name, value in given.items() if value is not None]
    if asked and not objective.has_logits:
        raise ConfigError(
            f"{asked[0]} works on logits, but sentence embeddings are vectors. Leave it out; "
            "pipeline('sentence-embeddings', folder)(texts) gives those of a saved model."
        )


def check_own_loss(arguments: TrainingArguments) -> None:
    """Refuse settings of the loss where the loss is the user's."""
    for name in ("class_weights", "label_smoothing_factor"):
        if getattr(arguments, name):
            raise ConfigError(
                f"{name} changes the model's loss, but compute_loss is your own. Leave it out, or weigh in your loss."
            )
    if arguments.fsdp:
        raise ConfigError(
            "fsdp trains a copy of the model in shards, which a compute_loss of your own would not see. Leave fsdp out; torchrun "
            "still shares out the batches."
        )


def task_of(model: EncoderModel, name: str | None) -> Task:
    """The task of this name, or the one of the model's head; one that needs another head is a ``ConfigError``."""
    task = find_task(task_for_head(model.head_name) if name is None else name)
    if name is not None and (task.training or task.learning) and task.head != model.head_name:
        raise ConfigError(
            f"task is {name!r}, which is done with the head {task.head!r}, but the model has the head {model.head_name!r}. Load "
            "the checkpoint with the head of the task, or leave the task out."
        )
    return task


def check_held_out(arguments: TrainingArguments, eval_dataset: Any) -> None:
    """Refuse evaluations without data."""
    for name, off in (("eval_strategy", "no"), ("eval_on_start", False)):
        if eval_dataset is None and getattr(arguments, name) != off:
            raise ConfigError(
                f"{name} is {getattr(arguments, name)!r}, but there is nothing to evaluate on. Give Trainer an "
                f"eval_dataset, or use "
                f"{name}={off!r}."
            )


def check_metric(arguments: TrainingArguments, tried: Callable[[], dict[str, float]]) -> None:
    """Refuse to compare models by a metric that no evaluation has; ``tried`` measures a few rows to see which there are."""
    if arguments.eval_strategy != "no" and arguments.metric_for_best_model is not None:
        metric_value(tried(), arguments)


def check_targets(targets: Sequence[Any], model: EncoderModel) -> None:
    """Refuse classes that the model has no output for, and targets of several kinds."""
    kinds = {type(target) for target in targets if target is not None}
    if len(kinds) > 1 and kinds != {int, float}:
        first = {kind: next(row for row, target in enumerate(targets) if type(target) is kind) for kind in kinds}
        said = " and ".join(f"{kind.__name__} (row {row})" for kind, row in sorted(first.items(), key=lambda one: one[1]))
        raise DataError(f"The labels of train_dataset are of several kinds: {said}. Give every row one of the same kind.")
    if model.head_name in ("masked-lm", "pretraining", "question-answering", "multiple-choice"):
        return
    labels = model.config.num_labels
    for row, target in enumerate(targets):
        classes = target if isinstance(target, list) and model.head_name == "token-classification" else [target]
        wrong = [one for one in classes if isinstance(one, int) and not 0 <= one < labels and one != IGNORED]
        if wrong and model.config.problem_type != "regression" and labels > 1:
            raise DataError(
                f"Row {row} of train_dataset has the label {wrong[0]}, but the model has {labels} labels, 0 to "
                f"{labels - 1}. Correct "
                f"the row, or load the model with num_labels={max(wrong[0] + 1, labels + 1)}."
            )
        if isinstance(target, tuple | list) and model.head_name == "sequence-classification" and len(target) != labels:
            raise DataError(
                f"Row {row} of train_dataset has {len(target)} labels, 0 or 1 for each, but the model has {labels}. "
                f"Correct the row, "
                f"or load the model with num_labels={len(target)}."
            )
        if isinstance(target, str):
            raise DataError(
                f"Row {row} of train_dataset has the label {target!r}, but tokenised rows have numbers. Give the "
                f"label's number, or "
                "rows of text with processing_class=tokenizer."
            )
