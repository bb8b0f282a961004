"""What an encoder is made of, as data: the description that torch trains and ONNX Runtime runs."""

from headway.architecture.config import ModelConfig
from headway.architecture.family import Family, TokenizerDefaults
from headway.architecture.names import Fuse, Rename, WeightNames
from headway.architecture.parts import (
    Architecture,
    Embeddings,
    Encoder,
    FeedForward,
    Head,
    Layer,
    MaskedLanguageModelHead,
    Pooler,
    SelfAttention,
    SequenceClassificationHead,
)
from headway.architecture.weights import weight_shapes

__all__ = [
    "Architecture",
    "Embeddings",
    "Encoder",
    "Family",
    "FeedForward",
    "Fuse",
    "Head",
    "Layer",
    "MaskedLanguageModelHead",
    "ModelConfig",
    "Pooler",
    "Rename",
    "SelfAttention",
    "SequenceClassificationHead",
    "TokenizerDefaults",
    "WeightNames",
    "weight_shapes",
]
