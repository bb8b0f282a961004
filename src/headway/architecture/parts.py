"""The parts of an encoder as frozen dataclasses.

A family's file makes them from ``config.json``; ``neural`` and ``graph`` realise them.
Post-layer normalisation: each sub-layer's output is added to its input and then normalised (Vaswani et al., 2017).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Activation: TypeAlias = Literal["gelu", "gelu_tanh", "relu", "tanh"]


@dataclass(frozen=True, kw_only=True)
class Embeddings:
    """The sum of token, position and token-type vectors, normalised."""

    vocab_size: int
    max_positions: int
    token_types: int
    norm_eps: float
    dropout: float
    padding_id: int


@dataclass(frozen=True, kw_only=True)
class SelfAttention:
    """Scaled dot-product attention of every token to every token of its own text."""

    num_heads: int
    dropout: float


@dataclass(frozen=True, kw_only=True)
class FeedForward:
    """Two linear maps with an activation between."""

    intermediate_size: int
    activation: Activation


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One encoder layer: attention and feed-forward, each with dropout, residual and normalisation."""

    attention: SelfAttention
    feed_forward: FeedForward
    norm_eps: float
    dropout: float


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Token ids to one vector a token."""

    hidden_size: int
    embeddings: Embeddings
    layers: tuple[Layer, ...]


@dataclass(frozen=True, kw_only=True)
class Pooler:
    """The first token's vector through a linear map and an activation: one vector a text."""

    activation: Activation


@dataclass(frozen=True, kw_only=True)
class SequenceClassificationHead:
    """One score a label from the pooled vector."""

    num_labels: int
    dropout: float


@dataclass(frozen=True, kw_only=True)
class MaskedLanguageModelHead:
    """One score a vocabulary entry for each token; the last matrix is the token embedding's."""

    vocab_size: int
    activation: Activation
    norm_eps: float


Head: TypeAlias = SequenceClassificationHead | MaskedLanguageModelHead


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A whole model: an encoder, a pooler where the head or the base model has one, and at most one head."""

    encoder: Encoder
    pooler: Pooler | None = None
    head: Head | None = None
