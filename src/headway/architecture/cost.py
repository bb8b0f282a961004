"""How much a model has to compute: the multiplications and additions of its matrix products, counted from its architecture."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

from headway.architecture.parts import Architecture, Disentangled, MaskedLanguageModelHead, PreTrainingHead, SelfAttention
from headway.architecture.weights import weight_shapes

PER_STEP = 3
"""Passes that a training step costs: forward, and backward for activations and for weights (Kaplan et al., 2020, section 2.1)."""


def forward_operations(architecture: Architecture, lengths: Sequence[int], *, targets: int) -> int:
    """Multiplications and additions of one pass over texts of these lengths: what the result needs, and no padding.

    Of the head only so many ``targets`` are computed, tokens or texts.
    """
    encoder, weights = architecture.encoder, _weights(architecture)
    pairs = sum(_of_pairs(encoder.layers[step].attention, length) for step in encoder.steps for length in lengths)
    maps = weights.token * sum(lengths) + weights.text * len(lengths) + weights.target * targets
    return 2 * maps + encoder.hidden_size * pairs


class _Weights(NamedTuple):
    """Weights of the matrices by which each token, each text and each target is multiplied."""

    token: int
    text: int
    target: int


@functools.cache
def _weights(architecture: Architecture) -> _Weights:
    shapes = {name: math.prod(shape) for name, shape in weight_shapes(architecture).items() if len(shape) > 1}
    layers = sum(_sum(shapes, f"layers.{step}.") for step in architecture.encoder.steps)
    return _Weights(
        token=layers + _sum(shapes, "embeddings.projection") + _sum(shapes, "convolution"),
        text=_sum(shapes, "pooler."),
        target=_sum(shapes, "head.") + _output(architecture),
    )


def _of_pairs(attention: SelfAttention, length: int) -> int:
    """Operations of a text's scores and sums for each channel: two products for each pair of tokens, and one for each term."""
    near = length if attention.window is None else min(length, 2 * attention.window + 1)
    terms = len(attention.positions.terms) if isinstance(attention.positions, Disentangled) else 0
    return 2 * (2 + terms) * length * near


def _output(architecture: Architecture) -> int:
    """Weights of a masked LM's output, which are the token embedding's."""
    head = architecture.head.masked_lm if isinstance(architecture.head, PreTrainingHead) else architecture.head
    return head.vocab_size * architecture.encoder.embeddings.size if isinstance(head, MaskedLanguageModelHead) else 0


def _sum(shapes: dict[str, int], prefix: str) -> int:
    return sum(size for name, size in shapes.items() if name.startswith(prefix))
