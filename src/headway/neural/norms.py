"""Normalisations and activations by their descriptions."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headway.architecture import Activation, Norm, Transform

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": lambda states: F.gelu(states, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}


def make_norm(parts: Norm | None, size: int) -> nn.Module:
    """A layer normalisation, or nothing at all where the description is None."""
    return nn.Identity() if parts is None else nn.LayerNorm(size, eps=parts.eps, bias=parts.bias)


def make_transform(parts: Transform | None, hidden_size: int) -> tuple[nn.Module, nn.Module]:
    """A linear map and the normalisation behind its activation; neither changes anything where the description is None."""
    if parts is None:
        return nn.Identity(), nn.Identity()
    return nn.Linear(hidden_size, parts.size, bias=parts.bias), make_norm(parts.norm, parts.size)


def activation_of(parts: Transform | None) -> Callable[[Tensor], Tensor]:
    """The function between the two modules of a transform."""
    return ACTIVATIONS[parts.activation] if parts is not None else lambda states: states
