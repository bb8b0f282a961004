"""Rotary positions (Su et al., 2021, arXiv:2104.09864), for packed tokens.

Shapes: T tokens, H heads, K head size, F = K / 2 frequencies.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


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
    first, second = qkv_T3HK[:, :2].chunk(2, dim=-1)
    turned = torch.cat(
        [first * table.cos_T11F - second * table.sin_T11F, second * table.cos_T11F + first * table.sin_T11F], dim=-1
    )
    return torch.cat([turned.to(qkv_T3HK.dtype), qkv_T3HK[:, 2:]], dim=1)
