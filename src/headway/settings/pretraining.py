"""Settings of ``headway pretrain``."""

from dataclasses import dataclass, field

from headway.errors import ConfigError
from headway.settings.training import Schedule, TrainingArguments


@dataclass(frozen=True, kw_only=True)
class PretrainSettings(TrainingArguments):
    """A new encoder from raw text by masked language modelling (Devlin et al., 2019, section 3.1)."""

    files: tuple[str, ...] = field(metadata={"positional": True})
    """Text files in UTF-8, plain, .gz or .xz: a paragraph a line, a blank line between documents."""

    output_dir: str = field(kw_only=True)
    """Folder for the tokenised text, checkpoints, the log and the final model."""

    tokenizer: str
    """Folder of the tokenizer, as ``headway tokenizer`` writes it."""

    family: str = "bert"
    """The family of encoders, as ``model_type`` in ``config.json`` names it. Rotary families such as modernbert learn from far
    fewer tokens."""

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

    mlm_probability: float = 0.15
    """Share of tokens to predict; of these 80 % become [MASK], 10 % another token, 10 % stay."""

    held_out: float = 0.005
    """Share of documents kept aside; loss and accuracy on them are reported."""

    dropout: float = 0.0
    """Dropout during pre-training. The saved configuration keeps 0.1 for fine-tuning."""

    max_steps: int = 1000
    """Optimiser steps in all."""

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

    logging_steps: int = 50
    """Steps between lines of the log."""

    save_steps: int = 250
    """Steps between checkpoints with the strategy ``steps``."""

    save_total_limit: int | None = 2
    """Checkpoints kept; older ones are removed after a new one is safely on disk."""

    resume_from_checkpoint: bool | str | None = True
    """A checkpoint folder to go on from, or True for the newest in ``output_dir`` where there is one."""

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything, before any work is done."""
        super().__post_init__()
        if not 0 < self.mlm_probability < 1:
            raise ConfigError(
                f"mlm_probability is {self.mlm_probability}; it is the share of tokens to predict, between 0 and 1. "
                "BERT's is 0.15."
            )
        if not 0 <= self.held_out < 1:
            raise ConfigError(f"held_out is {self.held_out}; it is a share of the documents, from 0 to less than 1.")
        if self.max_length is not None and self.max_length < 8:
            raise ConfigError(
                f"max_length is {self.max_length}; pieces of fewer than 8 tokens give nothing to predict from. Use 128."
            )
        longest = self.max_length or self.max_position_embeddings
        if longest > self.max_position_embeddings:
            raise ConfigError(
                f"max_length ({longest}) is more than max_position_embeddings ({self.max_position_embeddings}), so the "
                "last tokens would have "
                "no position. Lower the one or raise the other."
            )
        if self.tokens_per_batch < longest:
            raise ConfigError(
                f"tokens_per_batch ({self.tokens_per_batch}) does not hold one piece of max_length ({longest}). Raise it."
            )
