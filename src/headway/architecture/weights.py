"""Which weights an architecture has, under which of our names, in which shapes: the reference for loading, modules and graphs."""

from collections.abc import Iterator
from typing import TypeAlias

from headway.architecture.parts import (
    Architecture,
    Encoder,
    Head,
    Layer,
    MaskedLanguageModelHead,
    SequenceClassificationHead,
)

Shape: TypeAlias = tuple[int, ...]


def weight_shapes(architecture: Architecture) -> dict[str, Shape]:
    """Every weight's name and shape; linear weights are (out, in).

    The masked LM's output matrix is the token embedding, and so not listed twice.
    """
    shapes = dict(_encoder(architecture.encoder))
    if architecture.pooler is not None:
        shapes |= _linear("pooler.dense", architecture.encoder.hidden_size, architecture.encoder.hidden_size)
    if architecture.head is not None:
        shapes |= _head(architecture.head, architecture.encoder.hidden_size)
    return shapes


def _encoder(encoder: Encoder) -> Iterator[tuple[str, Shape]]:
    parts, hidden = encoder.embeddings, encoder.hidden_size
    yield "embeddings.token.weight", (parts.vocab_size, hidden)
    yield "embeddings.position.weight", (parts.max_positions, hidden)
    yield "embeddings.token_type.weight", (parts.token_types, hidden)
    yield from _norm("embeddings.norm", hidden).items()
    for index, layer in enumerate(encoder.layers):
        yield from _layer(f"layers.{index}", layer, hidden)


def _layer(name: str, layer: Layer, hidden: int) -> Iterator[tuple[str, Shape]]:
    yield from _linear(f"{name}.attention.qkv", 3 * hidden, hidden).items()
    yield from _linear(f"{name}.attention.out", hidden, hidden).items()
    yield from _norm(f"{name}.attention_norm", hidden).items()
    yield from _linear(f"{name}.feed_forward.up", layer.feed_forward.intermediate_size, hidden).items()
    yield from _linear(f"{name}.feed_forward.down", hidden, layer.feed_forward.intermediate_size).items()
    yield from _norm(f"{name}.feed_forward_norm", hidden).items()


def _head(head: Head, hidden: int) -> dict[str, Shape]:
    match head:
        case SequenceClassificationHead():
            return _linear("head.classifier", head.num_labels, hidden)
        case MaskedLanguageModelHead():
            dense = _linear("head.dense", hidden, hidden) | _norm("head.norm", hidden)
            return dense | {"head.decoder.bias": (head.vocab_size,)}


def _linear(name: str, out_size: int, in_size: int) -> dict[str, Shape]:
    return {f"{name}.weight": (out_size, in_size), f"{name}.bias": (out_size,)}


def _norm(name: str, size: int) -> dict[str, Shape]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
