"""Settings of training: ``TrainingArguments`` under the names people know, and those of ``headway train``."""

from dataclasses import dataclass, field
from typing import Literal

from headway.core.config import Config
from headway.settings.changes import as_words, named_columns
from headway.settings.other_names import accepts_other_names
from headway.settings.training_checks import check_training, check_without_code

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
    "reduce_lr_on_plateau",
]
Optimizer = Literal[
    "adamw_torch_fused", "adamw_torch", "adafactor", "adagrad", "nadam", "radam", "rmsprop", "sgd", "lion_32bit", "stable_adamw"
]  # fmt: skip
When = Literal["no", "steps", "epoch"]
BALANCED = "balanced"
AllTokens = Literal["no", "inside", "same"]
SentenceLoss = Literal["cosent", "cosine", "multiple-negatives"]
HubStrategy = Literal["end", "every_save", "checkpoint", "all_checkpoints"]


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

    max_minutes: float | None = None
    """Minutes from the first step on, after which training ends with a checkpoint and the status 75; the same command then goes
    on. None is no limit."""

    per_device_train_batch_size: int = 8
    """Texts in a training batch."""

    per_device_eval_batch_size: int = 8
    """Texts in an evaluation batch, at most; evaluation also keeps to a token budget."""

    gradient_accumulation_steps: int = 1
    """Batches whose gradients are summed before each optimiser step. Each target counts the same however they are split."""

    max_length: int | None = None
    """Tokens that a text may have; longer ones are cut. None is the model's own limit."""

    label_all_tokens: AllTokens = "no"
    """Whether the further tokens of labelled words are learnt too: with the label of an inside (I-PER behind B-PER), which True
    means, or with the same label again."""

    lr_scheduler_type: Schedule = "linear"
    """How the learning rate falls after warm-up; ``reduce_lr_on_plateau`` waits for evaluations that are no better."""

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

    neftune_noise_alpha: float | None = None
    """How much uniform noise token vectors have while they are learnt from (NEFTune): 5 to 15 is usual; None is none."""

    class_weights: str | tuple[float, ...] | None = None
    """How much each class counts in the loss, in the order of the labels; ``balanced`` weighs them by how rare they are."""

    loss: SentenceLoss | None = None
    """What sentence embeddings learn by; None is cosent for pairs with a similarity, else multiple-negatives."""

    similarity_scale: float = 20.0
    """By what cosines are multiplied in these losses, the inverse of a temperature; ``cosine`` knows none."""

    similarity_range: tuple[float, ...] = ()
    """The least and the largest similarity of pairs, as in 0 5; told by the data where it is not given."""

    tokens_at_once: int | None = None
    """Tokens whose states are kept at once where a loss compares all texts of a batch; fewer take less memory, but more time."""

    freeze: tuple[str, ...] = ()
    """Parts of the model whose weights stay as they are: embeddings, layers.0, encoder.layer.1 …"""

    fsdp: Literal["", "full_shard", "shard_grad_op"] = ""
    """Of several processes each keeps a shard of gradients and optimiser; ``full_shard`` has layers whole only as they run."""

    bf16: bool | None = None
    """Whether matrix products run in bfloat16 over float32 weights. None: where the hardware gains from it."""

    fp16: bool = False
    """Whether matrix products run in float16 over float32 weights, with losses scaled so that small gradients count."""

    tf32: bool | None = None
    """Whether float32 products on NVIDIA's GPUs run in TensorFloat-32, faster and less exact. None leaves torch's own setting."""

    torch_compile: bool = False
    """Whether the encoder's layers are compiled by ``torch.compile``; attention stays as it is."""

    torch_compile_backend: str | None = None
    """What compiles them; None is inductor, which needs a C++ compiler on CPUs and Triton on GPUs."""

    torch_compile_mode: str | None = None
    """How inductor compiles: default, reduce-overhead, max-autotune …"""

    logging_strategy: When = "steps"
    """When the figures since the last line go to the log."""

    logging_steps: float = 500
    """Steps between lines of the log with the strategy ``steps``; below 1 it is a share of all steps."""

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

    eval_steps: float | None = None
    """Steps between evaluations with the strategy ``steps``, or a share of all; None is ``logging_steps``."""

    save_strategy: Literal["no", "steps", "epoch", "best"] = "steps"
    """When a checkpoint is written from which training can go on; ``best`` is after each evaluation that was the best so far."""

    save_steps: float = 500
    """Steps between checkpoints with the strategy ``steps``; below 1 it is a share of all steps."""

    save_total_limit: int | None = None
    """Checkpoints kept; older ones are removed after a new one is safely on disk."""

    save_only_model: bool = False
    """Whether checkpoints hold the model alone; they are smaller, and training cannot go on from them."""

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

    data_seed: int | None = None
    """Decides the data order alone; None is ``seed``."""

    full_determinism: bool = False
    """Whether a GPU adds up in one order, so that the same seed gives the same bits there too; slower."""

    train_sampling_strategy: Literal["random", "group_by_length", "sequential"] = "random"
    """In which order rows are learnt: at random, which here always groups texts of like length, or as they stand."""

    dataloader_drop_last: bool = False
    """Whether the batch of each epoch that is not full is left out."""

    gradient_checkpointing: bool = False
    """Whether layers are computed twice, to remember less in between."""

    prediction_loss_only: bool = False
    """Whether evaluation measures the loss and nothing else."""

    include_for_metrics: tuple[Literal["inputs"], ...] = ()
    """What ``compute_metrics`` gets beside logits and labels: inputs, the tokens' ids."""

    use_cpu: bool = False
    """Whether the CPU is used where there is a GPU too."""

    disable_tqdm: bool | None = None
    """Whether nothing is shown in the terminal; None is what Trainer's ``progress`` says."""

    push_to_hub: bool = False
    """Whether the model goes to the Hub while it is trained and at the end."""

    hub_model_id: str | None = None
    """The repository, as owner/name; None is the name of the output folder, of whoever pushes."""

    hub_strategy: HubStrategy = "every_save"
    """What is pushed when: the model at the end, at every save, with its newest checkpoint, or with all of them."""

    hub_private_repo: bool | None = None
    """Whether a repository that is made for it is private; None is what the owner's settings say."""

    hub_revision: str | None = None
    """The branch that is pushed to; None is the main one."""

    hub_token: str | None = field(default=None, repr=False, metadata={"secret": True})
    """What lets you write there; None is the token that `hf auth login` saved. It is written nowhere."""

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything, before any work is done."""
        for name in ("lr_scheduler_kwargs", "optim_args"):
            object.__setattr__(self, name, as_words(getattr(self, name), name=name))
        check_training(self)


@dataclass(frozen=True, kw_only=True)
class TrainSettings(TrainingArguments):
    """Settings of ``headway train``: what is trained, on which files, beside how."""

    output_dir: str = field(kw_only=True)
    """Folder for checkpoints, the log and the final model."""

    model: str
    """Model to start from: a folder or a Hub id, with weights (models that ship with Headway are graphs without any)."""

    train: str
    """Training file with the task's columns: CSV, TSV, JSON Lines (.gz and .xz too), Parquet, CoNLL or SQuAD."""

    valid: str | None = None
    """Validation file of the same form; scores are printed at the end of each epoch."""

    task: str = "text-classification"
    """The task, which decides columns, head and metrics."""

    column: tuple[str, ...] = ()
    """Columns by what they hold, as in text=review label=stars; by default those with usual names. In Python a dictionary."""

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

    logging_steps: float = 50
    """Steps between lines of the log; below 1 it is a share of all steps."""

    eval_strategy: When = "epoch"
    """When the model is evaluated."""

    save_total_limit: int | None = 2
    """Checkpoints kept; older ones are removed after a new one is safely on disk."""

    resume_from_checkpoint: bool | str | None = True
    """A checkpoint folder to go on from, or True for the newest in ``output_dir`` where there is one."""

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything, before any work is done."""
        check_without_code(self)
        object.__setattr__(self, "column", as_words(self.column, name="column"))
        named_columns(self.column)
        super().__post_init__()
