"""What most families share: BERT's configuration keys and its post-norm layers.

A family's file calls these and states only where it differs; ``_heads`` has what stands on the encoder.
"""

from collections.abc import Mapping
from typing import Any

from headway.architecture import (
    Activation,
    Embeddings,
    Encoder,
    FeedForward,
    Layer,
    ModelConfig,
    Norm,
    Positions,
    Projection,
    SelfAttention,
)
from headway.architecture.parts import AttentionBias, RelativePositions
from headway.errors import ConfigError

ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}

BERT_DEFAULTS: Mapping[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "classifier_dropout": None,
    "tie_word_embeddings": True,
}

ROBERTA_DEFAULTS: Mapping[str, Any] = {**BERT_DEFAULTS, "pad_token_id": 1}
"""What RoBERTa's kin have where a file says nothing; published files say 514 positions, one token type and 1e-5."""

ENCODER_ONLY: Mapping[str, Any] = {
    "is_decoder": False,
    "add_cross_attention": False,
    "is_encoder_decoder": False,
    "pruned_heads": {},
    "quantization_config": None,
}
"""Settings that every family here needs to have these values, where a file has them at all."""

IRRELEVANT = ("use_cache", "gradient_checkpointing")


def activation(config: ModelConfig, key: str = "hidden_act") -> Activation:
    """The activation that a setting names."""
    return ACTIVATIONS[one_of(config, key, tuple(ACTIVATIONS), why="Another activation would change every answer.")]


def one_of(config: ModelConfig, key: str, known: tuple[str, ...], *, why: str) -> str:
    """The value of a setting that has to be one of a few; ``why`` says what another would do."""
    if config[key] not in known:
        raise ConfigError(f"{key} is {config[key]!r}; known are {', '.join(known)}. {why}")
    return str(config[key])


def picked(*names: str) -> dict[str, Any]:
    """Some of BERT's defaults."""
    return {name: BERT_DEFAULTS[name] for name in names}


def check_heads(config: ModelConfig, *, hidden: str = "hidden_size", heads: str = "num_attention_heads") -> None:
    """Refuse a width that the attention heads cannot share equally."""
    if not config[heads] or config[hidden] % config[heads]:
        raise ConfigError(
            f"{hidden} ({config[hidden]}) is not a multiple of {heads} ({config[heads]}), so the heads cannot share it equally. "
            "Change one of them."
        )


def norm(config: ModelConfig) -> Norm:
    """The layer normalisation that all of a model's parts have."""
    return Norm(eps=config.layer_norm_eps)


def embeddings(
    config: ModelConfig, *, positions: Positions | None, size: int | None = None, projection: Projection | None = None
) -> Embeddings:
    """Embeddings by BERT's keys; ``projection`` leads from their ``size`` to the encoder's width where the two differ."""
    size = size or config.hidden_size
    return Embeddings(
        vocab_size=config.vocab_size,
        size=size,
        token_types=config.type_vocab_size,
        positions=positions,
        norm=norm(config),
        dropout=config.hidden_dropout_prob,
        padding_id=config.pad_token_id,
        projection=None if size == config.hidden_size else projection,
    )


def layer(config: ModelConfig, *, bias: AttentionBias = "all", positions: RelativePositions | None = None) -> Layer:
    """A post-norm layer by BERT's keys."""
    check_heads(config)
    dropout = config.hidden_dropout_prob
    return Layer(
        attention=SelfAttention(
            num_heads=config.num_attention_heads,
            dropout=config.attention_probs_dropout_prob,
            out_dropout=dropout,
            bias=bias,
            positions=positions,
        ),
        attention_norm=norm(config),
        feed_forward=FeedForward(intermediate_size=config.intermediate_size, activation=activation(config), dropout=dropout),
        feed_forward_norm=norm(config),
    )


def encoder(config: ModelConfig, parts: Embeddings, each: Layer) -> Encoder:
    """Embeddings and as many equal layers as the configuration says."""
    return Encoder(
        hidden_size=config.hidden_size,
        max_tokens=config.max_position_embeddings if parts.positions is None else parts.positions.longest_text,
        embeddings=parts,
        layers=(each,) * config.num_hidden_layers,
    )
