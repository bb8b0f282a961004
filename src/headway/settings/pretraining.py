"""Settings of ``headway pretrain``."""

from dataclasses import dataclass, field, fields
from typing import Literal

from headway.errors import ConfigError
from headway.settings.presets import PresetName, preset, takes_preset
from headway.settings.training import Schedule, TrainingArguments


@takes_preset
@dataclass(frozen=True, kw_only=True)
class PretrainSettings(TrainingArguments):
    """An encoder learnt from raw text: a new one, or one that goes on from a checkpoint."""

    files: tuple[str, ...] = field(metadata={"positional": True})
    """Files with text, or patterns such as 'texts/*.txt.xz', or - for standard input. Text in UTF-8, plain, .gz or .xz: a
    paragraph a line, a blank line between documents. Tables (JSON Lines, Parquet, CSV): a document a row. A folder of tokenised
    text stands for its files."""

    tokenize_only: bool = False
    """Whether to end once the text is tokenised, in OUTPUT/tokens: another run takes that folder in the place of the files."""

    text_column: str = "text"
    """The column of tables that holds the documents."""

    output_dir: str = field(kw_only=True)
    """Folder for the tokenised text, checkpoints, the log and the final model."""

    tokenizer: str | None = None
    """Folder of the tokenizer, as ``headway tokenizer`` writes it. None is that of the model which training goes on from."""

    preset: PresetName | None = None
    """Settings of a published recipe, in place of the defaults below; what is given beside it wins. docs/pretraining.md says what
    each is and where from."""

    model: str | None = None
    """A checkpoint to go on from, to fit it to new text: a folder or a Hub id, with weights. Its size, family and tokenizer
    hold."""

    objective: str = "masked-lm"
    """What is learnt: masked-lm, next-sentence (masked LM and next sentences), sentence-order (masked LM and their order), or
    replaced-token (ELECTRA)."""

    family: str = "modernbert"
    """The family of encoders, as ``model_type`` in ``config.json`` names it. Rotary families such as modernbert learn from far
    fewer tokens than bert."""

    model_settings: tuple[str, ...] = ()
    """Other settings of the family's configuration, as NAME=VALUE: classifier_pooling=mean."""

    hidden_size: int = 256
    """Width of the encoder."""

    num_hidden_layers: int = 4
    """Layers of the encoder."""

    num_attention_heads: int = 4
    """Attention heads of each layer."""

    intermediate_size: int | None = None
    """Width of the feed-forward part; None keeps the family's ratio to the hidden size: four times for BERT."""

    max_position_embeddings: int = 512
    """Longest text that the model will ever read, in tokens."""

    max_length: int | None = 128
    """Longest piece of a document in training, in tokens, special tokens included."""

    tokens_per_batch: int = 8192
    """Tokens in a batch; each batch holds pieces of like length from any documents."""

    batch_warmup_steps: float = 0
    """Steps in which batches grow from ``batch_warmup_share`` of ``tokens_per_batch`` to the whole of it; below 1 it is a share
    of ``max_steps``."""

    batch_warmup_share: float = 0.125
    """How large the first batch is, as a share of ``tokens_per_batch``."""

    mlm_probability: float = 0.15
    """Share of tokens to predict."""

    mask_share: float | None = None
    """Share of the tokens to predict that become [MASK]. None is 0.8, for replaced tokens 1."""

    random_share: float | None = None
    """Share of the tokens to predict that become another token; the rest stays. None is 0.1, for replaced tokens 0."""

    masking: Literal["token", "whole-word", "span"] = "token"
    """What is hidden together: single tokens, all tokens of a word, or spans of words (SpanBERT)."""

    sentences: Literal["punctuation", "lines"] = "punctuation"
    """What ends a sentence where the objective pairs them: full stops, question and exclamation marks; or line ends alone."""

    generator_width: float | None = None
    """The generator's width as a share of the model's, for replaced tokens. None is 1/4 for electra, 1 for deberta-v2."""

    generator_depth: float | None = None
    """The generator's layers as a share of the model's, for replaced tokens. None is 1 for electra, 1/2 for deberta-v2."""

    embedding_sharing: Literal["shared", "disentangled", "none"] | None = None
    """How the generator shares its embeddings, for replaced tokens. None is shared for electra, and for deberta-v2 disentangled:
    the gradient of the model stops at them, and it adds vectors of its own."""

    held_out: float = 0.005
    """Share of documents kept aside; loss and accuracy on them are reported."""

    dropout: float = 0.0
    """Dropout during pre-training. The saved configuration keeps 0.1 for fine-tuning."""

    max_steps: int = 1000
    """Optimiser steps in all; -1 is as many as ``num_train_epochs`` take."""

    learning_rate: float = 1e-3
    """The highest learning rate."""

    lr_scheduler_type: Schedule = "linear"
    """How the learning rate falls after warm-up."""

    warmup_steps: float = 0.06
    """Steps in which the learning rate rises from zero; below 1 it is a share of all steps."""

    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW; biases and normalisation weights have none."""

    adam_beta2: float = 0.98
    """AdamW's decay of the mean squared gradient."""

    adam_epsilon: float = 1e-6
    """AdamW's term that keeps the division finite."""

    logging_steps: float = 50
    """Steps between lines of the log."""

    save_steps: float = 250
    """Steps between checkpoints with the strategy ``steps``."""

    save_total_limit: int | None = 2
    """Checkpoints kept; older ones are removed after a new one is safely on disk."""

    resume_from_checkpoint: bool | str | None = True
    """A checkpoint folder to go on from, or True for the newest in ``output_dir`` where there is one."""

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything, before any work is done."""
        super().__post_init__()
        if self.tokenizer is None and self.model is None:
            raise ConfigError(
                "Neither tokenizer nor model is given, so text cannot become tokens. Give the folder of a tokenizer (headway "
                "tokenizer makes one), or a model to go on from, which has its own."
            )
        _check_meant(self)
        _check_masking(self)
        _check_lengths(self)
        if self.model is not None:
            _check_size(self)


INSTEAD = {
    "per_device_train_batch_size": "batches are counted in tokens: give tokens_per_batch",
    "per_device_eval_batch_size": "batches are counted in tokens: give tokens_per_batch",
    "dataloader_drop_last": "batches are full of tokens, and none of them is nearly empty: leave it out",
    "train_sampling_strategy": "each batch has texts of like length, drawn at random: leave it out",
    "label_all_tokens": "there are no labels: leave it out",
    "label_smoothing_factor": "there are no labels: leave it out",
    "class_weights": "there are no labels: leave it out",
    "include_for_metrics": "there are no metrics of your own: leave it out",
    "prediction_loss_only": "its loss and accuracy cost the same: leave it out",
    "loss": "the objective says what is learnt: leave it out",
    "similarity_scale": "no texts are compared: leave it out",
    "similarity_range": "no texts are compared: leave it out",
    "tokens_at_once": "batches are counted in tokens: give tokens_per_batch",
}
"""Settings of fine-tuning that mean nothing here, and what to do."""


def _check_meant(settings: PretrainSettings) -> None:
    """Refuse settings of any training that pre-training would pass over in silence."""
    usual = {field.name: field.default for field in fields(settings)}
    for name, instead in INSTEAD.items():
        value = getattr(settings, name)
        if value != usual[name] and not (usual[name] == () and not value):
            raise ConfigError(f"{name} is {value!r}, but in pre-training {instead}.")
    if settings.max_steps <= 0 and 0 < settings.batch_warmup_steps < 1:
        raise ConfigError(
            f"batch_warmup_steps is {settings.batch_warmup_steps}, a share of max_steps, which says nothing here "
            f"({settings.max_steps}). Give a number of steps, or max_steps."
        )
    if settings.layerwise_lr_decay != 1 and settings.objective == "replaced-token":
        raise ConfigError(
            f"layerwise_lr_decay is {settings.layerwise_lr_decay}, but with replaced-token two encoders are trained, whose "
            "layers are not each other's. Leave it out."
        )


SIZES = ("family", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings")


def _check_size(settings: PretrainSettings) -> None:
    """Refuse another size than the one that the model to go on from has; what a preset says of it is passed over."""
    usual = {field.name: field.default for field in fields(settings)} | {"intermediate_size": None}
    recipe = {} if settings.preset is None else preset(settings.preset).values
    given = [name for name in SIZES if getattr(settings, name) not in (usual[name], recipe.get(name, usual[name]))]
    if given:
        raise ConfigError(
            f"{given[0]} is {getattr(settings, given[0])!r}, but the size and the family of {settings.model}, which training "
            f"goes on from, are what they are. Leave {', '.join(given)} out, or leave model out for a new encoder."
        )


def _check_masking(settings: PretrainSettings) -> None:
    if not 0 < settings.mlm_probability < 1:
        raise ConfigError(
            f"mlm_probability is {settings.mlm_probability}; it is the share of tokens to predict, between 0 and 1. "
            "BERT's is 0.15."
        )
    shares = settings.mask_share, settings.random_share
    if any(share is not None and not 0 <= share <= 1 for share in shares) or sum(share or 0 for share in shares) > 1:
        raise ConfigError(
            f"mask_share is {shares[0]} and random_share {shares[1]}; they are shares of the tokens to predict, from 0 on and "
            "together at most 1. BERT's are 0.8 and 0.1."
        )
    if not 0 <= settings.held_out < 1:
        raise ConfigError(f"held_out is {settings.held_out}; it is a share of the documents, from 0 to less than 1.")
    for name in ("generator_width", "generator_depth", "batch_warmup_share"):
        value = getattr(settings, name)
        if value is not None and not 0 < value <= 1:
            raise ConfigError(f"{name} is {value}; it is a share, more than 0 and at most 1.")


def _check_lengths(settings: PretrainSettings) -> None:
    if settings.max_length is not None and settings.max_length < 8:
        raise ConfigError(
            f"max_length is {settings.max_length}; pieces of fewer than 8 tokens give nothing to predict from. Use 128."
        )
    longest = settings.max_length or settings.max_position_embeddings
    if longest > settings.max_position_embeddings and settings.model is None:
        raise ConfigError(
            f"max_length ({longest}) is more than max_position_embeddings ({settings.max_position_embeddings}), so the "
            "last tokens would have no position. Lower the one or raise the other."
        )
    if settings.tokens_per_batch < longest:
        raise ConfigError(
            f"tokens_per_batch ({settings.tokens_per_batch}) does not hold one piece of max_length ({longest}). Raise it."
        )
