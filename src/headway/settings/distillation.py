"""Settings of ``headway distill``."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from headway.errors import ConfigError
from headway.settings.training import TrainingArguments, When

Recipe = Literal["distilbert", "tinybert", "minilm", "logits", "embeddings"]
MATCHING = ("tinybert", "minilm")
"""Recipes that match what lies inside; on rows of a task they are followed by a stage that learns the answers."""
TEMPERATURES = {"distilbert": 2.0, "logits": 2.0, "tinybert": 1.0, "minilm": 1.0}
"""Sanh et al., 2019 (their published script); TinyBERT's is 1 (Jiao et al., 2020, section 4.1)."""
WEIGHTS = {"distilbert": (5.0, 2.0, 1.0), "logits": (0.5, 0.5, 0.0), "tinybert": (1.0, 0.0, 0.0), "minilm": (1.0, 0.0, 0.0)}
"""Soft targets, hard targets, cosine of the last states: DistilBERT's are those of its published command."""


@dataclass(frozen=True, kw_only=True)
class DistillSettings(TrainingArguments):
    """A smaller model that learns from a larger one."""

    output_dir: str = field(kw_only=True)
    """Folder for checkpoints, the log, the student and the table that compares it with its teacher."""

    teacher: str
    """The model to learn from: a folder or a Hub id, with weights (models that ship with Headway are graphs without any)."""

    recipe: Recipe
    """What is learnt: softened answers, masked tokens and the direction of the last states (distilbert); embeddings, states and
    attention of each layer (tinybert); relations between queries, keys and values of one layer (minilm); the answers of any task
    (logits); sentence vectors (embeddings)."""

    files: tuple[str, ...] = ()
    """Text files for the general stage: plain, .gz or .xz, a paragraph a line, a blank line between documents."""

    train: str | None = None
    """Rows with the task's columns for the task-specific stage; where some have no label, those learn from the teacher alone."""

    valid: str | None = None
    """Rows on which teacher and student are measured."""

    task: str | None = None
    """The task of the rows; by default what the teacher was saved for."""

    student: str | None = None
    """A model to go on with (a folder or Hub id), or a config.json of a new one; by default the teacher with fewer layers."""

    num_layers: int | None = None
    """Layers that a student made from the teacher keeps, evenly spaced with the first and the last; by default every second."""

    keep_layers: tuple[int, ...] = ()
    """Which layers of the teacher it keeps, counted from 0 on; by default as num_layers says."""

    initialise: Literal["teacher", "random"] = "teacher"
    """What the weights of a student that was not saved before begin as."""

    temperature: float | None = None
    """What scores are divided by before they become targets; by default 2 for logits and distilbert, else 1."""

    soft_weight: float | None = None
    """Weight of the teacher's answers in the loss; by default the recipe's: 0.5 for logits, 5 for distilbert, else 1."""

    hard_weight: float | None = None
    """Weight of the labels, or of the masked tokens; by default the recipe's: 0.5 for logits, 2 for distilbert, else 0."""

    cosine_weight: float | None = None
    """Weight of the cosine of the last states; by default 1 for distilbert, else 0."""

    soft_tokens: Literal["all", "masked"] = "all"
    """Of which tokens a masked LM learns the teacher's answers: all, as DistilBERT did, or the masked ones, for less work."""

    mlm_probability: float = 0.15
    """Share of tokens to predict in distilbert's general stage."""

    relations: tuple[Literal["q-q", "k-k", "v-v", "q-k"], ...] = ("q-q", "k-k", "v-v")
    """The relations that minilm matches: those of MiniLMv2, or q-k and v-v as in the first MiniLM."""

    relation_heads: int | None = None
    """Into how many equal parts minilm divides the vectors; by default the most up to 48 that divide both models' widths."""

    teacher_layer: int | None = None
    """The teacher's layer that minilm learns from, counted from 1 on; by default the last, as for models of 12 layers."""

    matching_epochs: float = 10.0
    """Epochs over the task's rows in which tinybert and minilm match what lies inside, before the answers are learnt."""

    matching_learning_rate: float = 5e-5
    """The highest learning rate of that stage."""

    vector_loss: Literal["mse", "cosine"] = "mse"
    """How sentence vectors are compared: by their squared difference, or their direction alone."""

    teacher_cache: str | None = None
    """Folder for the teacher's answers, which runs may share; by default in the output folder."""

    tokens_per_batch: int = 4096
    """Tokens in a batch of the general stage."""

    max_length: int | None = 128
    """Tokens that a text may have; longer ones are cut."""

    held_out: float = 0.005
    """Share of the documents kept aside in the general stage."""

    per_device_train_batch_size: int = 32
    """Rows in a training batch of the task-specific stage."""

    dropout: float | None = None
    """Dropout everywhere in the student while it learns; None keeps the model's own."""

    measure_speed: bool = True
    """Whether teacher and student are timed at the end, one after the other in turns."""

    warmup_steps: float = 0.1
    """Steps in which the learning rate rises from zero; below 1 it is a share of all steps."""

    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW; biases and normalisation weights have none."""

    logging_steps: int = 50
    """Steps between lines of the log."""

    eval_strategy: When = "epoch"
    """When the student is evaluated."""

    save_total_limit: int | None = 2
    """Checkpoints kept; older ones are removed after a new one is safely on disk."""

    resume_from_checkpoint: bool | str | None = True
    """A checkpoint folder to go on from, or True for the newest in ``output_dir`` where there is one."""

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything, before any work is done."""
        super().__post_init__()
        _check_data(self)
        _check_meant(self)
        for name in ("temperature", "matching_epochs", "matching_learning_rate"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name} is {value}, but it has to be more than 0. Leave it out for the recipe's own.")
        if not 0 < self.mlm_probability < 1:
            raise ConfigError(
                f"mlm_probability is {self.mlm_probability}; it is the share of tokens to predict, between 0 and 1. Use 0.15."
            )
        if self.recipe != "embeddings" and not any(self.weights):
            raise ConfigError(
                "soft_weight, hard_weight and cosine_weight are all 0, so nothing would be learnt. Leave one of them out."
            )

    @property
    def weights(self) -> tuple[float, float, float]:
        """The weights of soft targets, hard targets and the last states' cosine."""
        given = (self.soft_weight, self.hard_weight, self.cosine_weight)
        usual = WEIGHTS.get(self.recipe, (1.0, 0.0, 0.0))
        return tuple(own if value is None else value for value, own in zip(given, usual, strict=True))  # type: ignore[return-value]

    @property
    def heat(self) -> float:
        """The temperature, by default the recipe's."""
        return TEMPERATURES.get(self.recipe, 1.0) if self.temperature is None else self.temperature

    @property
    def is_general(self) -> bool:
        """Whether the student learns from plain text, and not from rows of a task."""
        return bool(self.files)

    def decisive(self) -> dict[str, Any]:
        """What decides the student beside the data, the teacher and the usual arguments; ready for JSON."""
        names = (
            "recipe", "heat", "weights", "soft_tokens", "mlm_probability", "relations", "relation_heads", "teacher_layer",
            "vector_loss", "tokens_per_batch", "held_out", "dropout",
        )  # fmt: skip
        return {name: list(value) if isinstance(value := getattr(self, name), tuple) else value for name in names}


INSTEAD = {
    "fsdp": "a teacher stands beside the student, whole in each process: leave it out",
    "label_smoothing_factor": "the teacher's answers are smooth already: leave it out, or raise temperature",
    "class_weights": "the teacher weighs classes as it does: leave it out, or train it with class_weights",
    "label_all_tokens": "the first tokens of words have the labels: leave it out",
    "include_for_metrics": "there are no metrics of your own: leave it out",
    "prediction_loss_only": "its end is a table of scores: leave it out",
    "loss": "the recipe says what is learnt: leave it out",
    "similarity_scale": "the recipe says what is learnt: leave it out",
    "similarity_range": "vectors are learnt from the teacher's: leave it out",
    "tokens_at_once": "a batch is divided where memory does not suffice: leave it out",
}
"""Settings of training that mean nothing here, and what to do."""
IN_TEXT = {
    "per_device_train_batch_size": "batches are counted in tokens: give tokens_per_batch",
    "dataloader_drop_last": "batches are full of tokens, and none of them is nearly empty: leave it out",
    "train_sampling_strategy": "pieces of documents are shuffled: leave it out",
}
"""Those that mean nothing in the general stage."""
OF_EVALUATIONS = ("eval_on_start", "load_best_model_at_end", "metric_for_best_model")


def _check_meant(settings: DistillSettings) -> None:
    """Refuse settings of any training that a distillation would pass over in silence."""
    changed = {field.name for field in fields(settings) if getattr(settings, field.name) != field.default}
    in_tokens = settings.is_general and settings.recipe != "embeddings"
    for name, instead in (INSTEAD | (IN_TEXT if in_tokens else {})).items():
        if name in changed:
            raise ConfigError(f"{name} is {getattr(settings, name)!r}, but in a distillation {instead}.")
    if "tokens_per_batch" in changed and not in_tokens:
        raise ConfigError(
            f"tokens_per_batch is {settings.tokens_per_batch}, but this stage counts batches in rows. Give "
            "per_device_train_batch_size."
        )
    has_scores = settings.recipe == "embeddings" or settings.is_general or settings.valid is not None
    if unmet := [name for name in OF_EVALUATIONS if name in changed and not has_scores]:
        raise ConfigError(
            f"{unmet[0]} is {getattr(settings, unmet[0])!r}, but there are no rows to measure the student on. Give valid."
        )


def _check_data(settings: DistillSettings) -> None:
    if bool(settings.files) == (settings.train is not None):
        what = "both are given" if settings.files else "neither is"
        raise ConfigError(
            f"A student learns from text (files: the general stage) or from rows of a task (train), and {what}. Give one; for "
            "both stages call twice, the second time with the first one's folder as the student."
        )
    if settings.recipe == "logits" and settings.files:
        raise ConfigError(
            "The recipe logits learns a task's answers, which plain text does not ask for. Give rows with --train, or take "
            "distilbert, tinybert or minilm."
        )
