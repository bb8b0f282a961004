"""Rotary positions (Su et al., 2021, arXiv:2104.09864), for packed tokens.

Shapes: T tokens, H heads, K head size, F = K / 2 frequencies.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class RotaryTable:
    """Cosine and sine of each token's angles, (tokens, 1, 1, frequencies), in float32."""

    cos_T11F: Tensor
    sin_T11F: Tensor


def rotary_table(theta: float, positions_T: Tensor, *, head_size: int) -> RotaryTable:
    """The angles of the positions: frequency f turns by ``theta ** (-2 f / head_size)`` a place."""
    powers_F = torch.arange(0, head_size, 2, device=positions_T.device).float() / head_size
    angles_TF = positions_T.float()[:, None] * (1.0 / theta**powers_F)
    return RotaryTable(angles_TF.cos()[:, None, None], angles_TF.sin()[:, None, None])


def rotate(qkv_T3HK: Tensor, table: RotaryTable) -> Tensor:
    """The same with queries and keys turned; the first half of the channels turns with the second."""
    turned_T3HK = _Rotation.apply(qkv_T3HK, table.cos_T11F, table.sin_T11F)
    assert isinstance(turned_T3HK, Tensor)
    return turned_T3HK


class _Rotation(torch.autograd.Function):
    """Written into one new tensor; the way back is a turn by the opposite angle, so nothing but the table is kept."""

    @staticmethod
    def forward(ctx: Any, qkv_T3HK: Tensor, cos_T11F: Tensor, sin_T11F: Tensor) -> Tensor:
        ctx.save_for_backward(cos_T11F, sin_T11F)
        return _turned(qkv_T3HK, cos_T11F, sin_T11F)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_turned_T3HK: Tensor) -> tuple[Tensor, None, None]:
        cos_T11F, sin_T11F = ctx.saved_tensors
        return _turned(d_turned_T3HK, cos_T11F, -sin_T11F), None, None


def _turned(qkv_T3HK: Tensor, cos_T11F: Tensor, sin_T11F: Tensor) -> Tensor:
    found_T3HK = torch.empty_like(qkv_T3HK)
    found_T3HK[:, 2] = qkv_T3HK[:, 2]
    first, second = qkv_T3HK[:, :2].chunk(2, dim=-1)
    cos_T11F, sin_T11F = cos_T11F.to(qkv_T3HK.dtype), sin_T11F.to(qkv_T3HK.dtype)
    to_first, to_second = found_T3HK[:, :2].chunk(2, dim=-1)
    torch.mul(first, cos_T11F, out=to_first).addcmul_(second, sin_T11F, value=-1)
    torch.mul(second, cos_T11F, out=to_second).addcmul_(first, sin_T11F)
    return found_T3HK
