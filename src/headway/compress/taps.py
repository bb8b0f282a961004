"""Queries, keys and values of one layer, read while a model runs: nothing is computed twice, and no layer knows of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from headway.neural.attention import PackedAttention
from headway.neural.model import EncoderModel


class Tap:
    """What flowed past: queries, keys and values, (tokens, width) each, by the letters q, k and v."""

    def __init__(self, attention: PackedAttention) -> None:
        self.attention = attention
        self.caught: Tensor | None = None

    def hook(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        """Keep the first output of a run: a layer may map its table of relative positions with the same weights afterwards."""
        if self.caught is None:
            self.caught = output

    def __getitem__(self, letter: str) -> Tensor:
        assert self.caught is not None
        part = "qkv".index(letter)
        vectors = self.caught.chunk(3, dim=-1)[part]
        if self.attention.parts.bias == "query-value" and letter != "k":
            bias = self.attention.query_bias if letter == "q" else self.attention.value_bias
            return vectors + bias.to(vectors.dtype)
        return vectors


@contextmanager
def tapped(model: EncoderModel, step: int) -> Iterator[Tap]:
    """What the attention of a step, counted from 0 on or from the end with a negative number, makes of the tokens in this block.

    Queries and keys are those before any rotation by position.
    """
    attention = model.get_submodule(f"layers.{model.architecture.encoder.steps[step]}.attention")
    assert isinstance(attention, PackedAttention)
    tap = Tap(attention)
    handle = attention.qkv.register_forward_hook(tap.hook)
    try:
        yield tap
    finally:
        handle.remove()


def no_gradients(model: EncoderModel) -> EncoderModel:
    """A teacher: in evaluation mode, and never changed."""
    return model.eval().requires_grad_(False)
