"""What most families share: BERT's configuration keys, its post-norm layers, and heads that read the pooled vector or each token.

A family's file calls these and states only where it differs.
"""

from collections.abc import Mapping
from typing import Any

from headway.architecture import (
    Activation,
    Embeddings,
    Encoder,
    FeedForward,
    Head,
    Layer,
    MaskedLanguageModelHead,
    ModelConfig,
    MultipleChoiceHead,
    NextSentenceHead,
    Norm,
    Pooler,
    Positions,
    PreTrainingHead,
    Projection,
    QuestionAnsweringHead,
    SelfAttention,
    SequenceClassificationHead,
    TokenClassificationHead,
    Transform,
)
from headway.architecture.family import HeadName
from headway.architecture.parts import AttentionBias, RelativePositions
from headway.errors import ConfigError

ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
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
}

ENCODER_ONLY: Mapping[str, Any] = {"is_decoder": False, "add_cross_attention": False, "tie_word_embeddings": True}
"""Settings that every family here needs to have these values, where a file has them at all."""


def activation(config: ModelConfig, key: str = "hidden_act") -> Activation:
    """The activation that a setting names."""
    if config[key] not in ACTIVATIONS:
        raise ConfigError(
            f"{key} is {config[key]!r}; known are {', '.join(ACTIVATIONS)}. Another activation would change every answer."
        )
    return ACTIVATIONS[config[key]]


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
    """Embeddings by BERT's keys; ``size`` is their width where it is not the encoder's, and ``projection`` leads to that."""
    return Embeddings(
        vocab_size=config.vocab_size,
        size=size or config.hidden_size,
        token_types=config.type_vocab_size,
        positions=positions,
        norm=norm(config),
        dropout=config.hidden_dropout_prob,
        padding_id=config.pad_token_id,
        projection=projection if size is not None and size != config.hidden_size else None,
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


def classifier_dropout(config: ModelConfig) -> float:
    """The dropout before a classifier: its own, or else the encoder's."""
    found = config.classifier_dropout
    return float(config.hidden_dropout_prob if found is None else found)


def tanh_pooler(config: ModelConfig, *, dropout: float = 0.0) -> Pooler:
    """The first token through a linear map and tanh."""
    return Pooler(transform=Transform(size=config.hidden_size, activation="tanh"), dropout=dropout)


def masked_lm(config: ModelConfig, *, size: int | None = None, act: Activation | None = None) -> MaskedLanguageModelHead:
    """A masked LM head; ``size`` is the width of the token table where it is not the encoder's."""
    transform = Transform(size=size or config.hidden_size, activation=act or activation(config), norm=norm(config))
    return MaskedLanguageModelHead(vocab_size=config.vocab_size, transform=transform)


def head(config: ModelConfig, name: HeadName, *, masked: MaskedLanguageModelHead | None = None) -> Head | None:
    """The head of this name as BERT has it; families with others make those themselves."""
    dropout = classifier_dropout(config)
    match name:
        case "sequence-classification":
            return SequenceClassificationHead(num_labels=config.num_labels, dropout=dropout)
        case "token-classification":
            return TokenClassificationHead(num_labels=config.num_labels, dropout=dropout)
        case "question-answering":
            return QuestionAnsweringHead(dropout=0.0)
        case "masked-lm":
            return masked or masked_lm(config)
        case "next-sentence":
            return NextSentenceHead()
        case "pretraining":
            return PreTrainingHead(masked_lm=masked or masked_lm(config), next_sentence=NextSentenceHead())
        case "multiple-choice":
            return MultipleChoiceHead(dropout=dropout)
        case _:
            return None
