"""Settings of training: ``TrainingArguments`` under the names people know, and those of ``headway train``."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from headway.core.config import Config
from headway.errors import ConfigError
from headway.settings.changes import as_words
from headway.settings.other_names import accepts_other_names

Schedule = Literal[
    "linear",
    "cosine",
    "cosine_with_restarts",
    "cosine_with_min_lr",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
    "warmup_stable_decay",
]
Optimizer = Literal["adamw_torch_fused", "adamw_torch", "adafactor", "adagrad", "nadam", "radam", "rmsprop", "sgd"]
When = Literal["no", "steps", "epoch"]
COUNTS = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "logging_steps", "save_steps",
)  # fmt: skip
BALANCED = "balanced"
REPORTS = ("none", "all", "tensorboard", "wandb", "mlflow")
NOT_NEGATIVE = ("learning_rate", "weight_decay", "warmup_steps", "max_grad_norm")


@accepts_other_names
@dataclass(frozen=True, kw_only=True)
class TrainingArguments(Config):
    """How a model is trained. Names and defaults are those of transformers, where it has the setting.

    Names of its older and newer versions are understood too (``settings.other_names``).
    """

    output_dir: str = field(default="trainer_output", kw_only=False)
    """Folder for checkpoints, the log and the final model."""

    learning_rate: float = 5e-5
    """The highest learning rate."""

    num_train_epochs: float = 3.0
    """How many times the training data is seen; a fraction stops part of the way through."""

    max_steps: int = -1
    """Optimiser steps in all; where positive it decides instead of the epochs."""

    per_device_train_batch_size: int = 8
    """Texts in a training batch."""

    per_device_eval_batch_size: int = 8
    """Texts in an evaluation batch, at most; evaluation also keeps to a token budget."""

    gradient_accumulation_steps: int = 1
    """Batches whose gradients are summed before each optimiser step. Each target counts the same however they are split."""

    max_length: int | None = None
    """Tokens that a text may have; longer ones are cut. None is the model's own limit."""

    lr_scheduler_type: Schedule = "linear"
    """How the learning rate falls after warm-up."""

    warmup_steps: float = 0
    """Steps in which the learning rate rises from zero; below 1 it is a share of all steps."""

    lr_scheduler_kwargs: tuple[str, ...] = ()
    """Settings of the schedule, as NAME=VALUE: num_cycles=2, min_lr_rate=0.1, num_decay_steps=500. In Python a dictionary."""

    optim: Optimizer = "adamw_torch_fused"
    """The optimiser."""

    optim_args: tuple[str, ...] = ()
    """Settings of the optimiser, as NAME=VALUE: momentum=0.9. In Python a dictionary."""

    layerwise_lr_decay: float = 1.0
    """The share of the learning rate that each layer has of that of the layer above it; ELECTRA takes 0.8."""

    weight_decay: float = 0.0
    """Decoupled weight decay of AdamW; biases and normalisation weights have none."""

    adam_beta1: float = 0.9
    """AdamW's decay of the mean gradient."""

    adam_beta2: float = 0.999
    """AdamW's decay of the mean squared gradient."""

    adam_epsilon: float = 1e-8
    """AdamW's term that keeps the division finite."""

    max_grad_norm: float = 1.0
    """Gradients with a larger norm are scaled down to it; 0 leaves them as they are."""

    label_smoothing_factor: float = 0.0
    """How much of each target is spread evenly over all classes; 0 leaves targets as they are."""

    class_weights: str | tuple[float, ...] | None = None
    """How much each class counts in the loss, in the order of the labels; ``balanced`` weighs them by how rare they are."""

    freeze: tuple[str, ...] = ()
    """Parts of the model whose weights stay as they are: embeddings, layers.0, encoder.layer.1 …"""

    bf16: bool | None = None
    """Whether matrix products run in bfloat16 over float32 weights. None: where the hardware gains from it."""

    logging_strategy: When = "steps"
    """When the figures since the last line go to the log."""

    logging_steps: int = 500
    """Steps between lines of the log with the strategy ``steps``."""

    logging_first_step: bool = False
    """Whether the first step has a line of its own."""

    report_to: tuple[Literal["none", "all", "tensorboard", "wandb", "mlflow"], ...] = ()
    """Where figures go beside the terminal and log.jsonl; all means whatever of these is installed."""

    run_name: str | None = None
    """What the run is called where figures are reported to."""

    eval_strategy: When = "no"
    """When the model is evaluated."""

    eval_delay: float = 0
    """Epochs, or steps with the strategy ``steps``, before which there is no evaluation."""

    eval_on_start: bool = False
    """Whether the model is evaluated before the first step too."""

    eval_steps: int | None = None
    """Steps between evaluations with the strategy ``steps``; None is ``logging_steps``."""

    save_strategy: Literal["no", "steps", "epoch", "best"] = "steps"
    """When a checkpoint is written from which training can go on; ``best`` is after each evaluation that was the best so far."""

    save_steps: int = 500
    """Steps between checkpoints with the strategy ``steps``."""

    save_total_limit: int | None = None
    """Checkpoints kept; older ones are removed after a new one is safely on disk."""

    load_best_model_at_end: bool = False
    """Whether the weights of the best evaluation are the result; its checkpoint is kept."""

    metric_for_best_model: str | None = None
    """The measure by which evaluations are compared; None is the loss."""

    greater_is_better: bool | None = None
    """Whether more of it is better; None: unless its name ends in ``loss``."""

    resume_from_checkpoint: bool | str | None = None
    """A checkpoint folder to go on from, or True for the newest in ``output_dir``."""

    seed: int = 42
    """Decides data order, masks, dropout and new weights."""

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything, before any work is done."""
        for name in ("lr_scheduler_kwargs", "optim_args"):
            object.__setattr__(self, name, as_words(getattr(self, name), name=name))
        _check_reports(self)
        _check_numbers(self)
        for name, known in (("lr_scheduler_type", Schedule), ("optim", Optimizer)):
            if getattr(self, name) not in get_args(known):
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}, which is not known here. Use {', '.join(get_args(known))}."
                )
        _check_strategies(self)
        if isinstance(self.class_weights, str) and self.class_weights != BALANCED:
            raise ConfigError(
                f"class_weights is {self.class_weights!r}; it is {BALANCED!r}, or one number for each class in the order of the "
                "labels. Give one of these, or None."
            )
        if self.max_steps < 1 and self.num_train_epochs <= 0:
            raise ConfigError(
                f"num_train_epochs is {self.num_train_epochs}, so nothing would be trained. Use a positive number, or max_steps."
            )


def _check_reports(arguments: TrainingArguments) -> None:
    named: Any = arguments.report_to
    given = (named,) if isinstance(named, str) else tuple(named or ())
    object.__setattr__(arguments, "report_to", given)
    if unknown := [name for name in given if name not in REPORTS]:
        raise ConfigError(
            f"report_to has {unknown[0]!r}, which is not known here. Use {', '.join(REPORTS)}, or for others a callback with "
            "on_log."
        )


def _check_numbers(arguments: TrainingArguments) -> None:
    for name in COUNTS:
        if getattr(arguments, name) < 1:
            raise ConfigError(f"{name} is {getattr(arguments, name)}; it counts something and must be at least 1.")
    for name in NOT_NEGATIVE:
        if getattr(arguments, name) < 0:
            raise ConfigError(f"{name} is {getattr(arguments, name)}; it cannot be negative. Use 0 to switch it off.")
    if not 0 < arguments.layerwise_lr_decay <= 1:
        raise ConfigError(
            f"layerwise_lr_decay is {arguments.layerwise_lr_decay}, but it is a share of the rate above: more than 0, at most 1. "
            "Use 1 for the same rate everywhere."
        )
    if not 0 <= arguments.label_smoothing_factor < 1:
        raise ConfigError(
            f"label_smoothing_factor is {arguments.label_smoothing_factor}, but it is a share of each target: from 0 to below 1. "
            "Use 0 for none."
        )


def _check_strategies(arguments: TrainingArguments) -> None:
    evaluates = arguments.eval_strategy != "no"
    if arguments.save_strategy == "best" and not evaluates:
        raise ConfigError(
            "save_strategy is 'best', but eval_strategy is 'no', so nothing says which weights are the best. Use "
            "eval_strategy='epoch' or 'steps'."
        )
    if not arguments.load_best_model_at_end or arguments.save_strategy == "best":
        return
    every = (arguments.eval_steps or arguments.logging_steps, arguments.save_steps)
    fits = arguments.eval_strategy == arguments.save_strategy and (arguments.eval_strategy != "steps" or every[1] % every[0] == 0)
    if not evaluates or not fits:
        raise ConfigError(
            f"load_best_model_at_end needs a checkpoint of each evaluation, but eval_strategy is {arguments.eval_strategy!r} and "
            f"save_strategy {arguments.save_strategy!r} (every {every[0]} and {every[1]} steps). Use the same for both, or "
            "save_strategy='best'."
        )


@dataclass(frozen=True, kw_only=True)
class TrainSettings(TrainingArguments):
    """Settings of ``headway train``: what is trained, on which files, beside how."""

    output_dir: str = field(kw_only=True)
    """Folder for checkpoints, the log and the final model."""

    model: str
    """Model to start from: a folder, a shipped model's name or a Hub id."""

    train: str
    """Training file with the task's columns: CSV, TSV, JSON Lines (.gz and .xz too), Parquet, CoNLL or SQuAD."""

    valid: str | None = None
    """Validation file of the same form; scores are printed at the end of each epoch."""

    task: str = "text-classification"
    """The task, which decides columns, head and metrics."""

    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"] | None = None
    """What the labels of texts are: one a text, several, or a number; None is told by the label column."""

    per_device_train_batch_size: int = 32
    """Texts in a training batch: windows of a context, or questions with all their choices, count as one."""

    learning_rate: float = 2e-5
    """The highest learning rate."""

    warmup_steps: float = 0.06
    """Steps in which the learning rate rises from zero; below 1 it is a share of all steps."""

    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW; biases and normalisation weights have none."""

    label_names: tuple[str, ...] | None = None
    """What the labels are called, in the order of their numbers or of the alphabet; None keeps the file's own names."""

    dropout: float | None = None
    """Dropout everywhere in the model while fine-tuning; None keeps the model's own."""

    model_settings: tuple[str, ...] = ()
    """Changes to the model's configuration, as NAME=VALUE: classifier_pooling=mean."""

    logging_steps: int = 50
    """Steps between lines of the log."""

    eval_strategy: When = "epoch"
    """When the model is evaluated."""

    save_total_limit: int | None = 2
    """Checkpoints kept; older ones are removed after a new one is safely on disk."""

    resume_from_checkpoint: bool | str | None = True
    """A checkpoint folder to go on from, or True for the newest in ``output_dir`` where there is one."""
