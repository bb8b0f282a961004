"""Attention within a window along long texts, at a cost that grows with the tokens and not with the square of a text's length.

All tokens stand in one line, cut into blocks no shorter than the window; a query sees keys of its own block and the two beside
it. A mask keeps texts apart.

Shapes: T tokens, N blocks, L tokens of a block, M = 3 L keys, H heads, K head size.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from headway.neural.packing import Packed
from headway.neural.products import attend

SHORTEST_BLOCK = 32
"""Below this the products are too small to be fast."""


@dataclass(frozen=True)
class Band:
    """The first ``tokens`` of a batch in blocks, and which of its 3 x ``block`` keys each query sees."""

    tokens: int
    block: int
    mask_N1LM: Tensor


def block_size(window: int) -> int:
    """Tokens of a block."""
    return max(window, SHORTEST_BLOCK)


def worth_a_band(length: int, window: int) -> bool:
    """Whether a text has more keys than the blocks would show each query."""
    return length > 3 * block_size(window)


def make_band(packed: Packed, tokens: int, window: int) -> Band:
    """The blocks of the first tokens. What fills the last block up sees itself, so that no query is left without a key."""
    block = block_size(window)
    text_NL = _blocks(packed.text_numbers()[:tokens], block, fill=-1)
    column_NL = _blocks(packed.columns_T[:tokens], block, fill=0)
    text_NM, column_NM = _beside(text_NL, fill=-2), _beside(column_NL, fill=0)
    near_NLM = (column_NL[:, :, None] - column_NM[:, None, :]).abs() <= window
    return Band(tokens, block, (near_NLM & (text_NL[:, :, None] == text_NM[:, None, :]))[:, None])


def attend_in_band(qkv_T3HK: Tensor, band: Band, *, dropout: float) -> Tensor:
    """Each token's mixture of the values near it, (tokens, heads, head size)."""
    tokens, _, heads, size = qkv_T3HK.shape
    q_NLHK, k_NLHK, v_NLHK = _blocks(qkv_T3HK, band.block, fill=0).unbind(2)
    k_NHMK, v_NHMK = _beside(k_NLHK, fill=0).transpose(1, 2), _beside(v_NLHK, fill=0).transpose(1, 2)
    mixed_NHLK = attend(q_NLHK.transpose(1, 2), k_NHMK, v_NHMK, band.mask_N1LM, dropout=dropout)
    return mixed_NHLK.transpose(1, 2).reshape(-1, heads, size)[:tokens]


def _blocks(values_T: Tensor, block: int, *, fill: int) -> Tensor:
    """(tokens, …) as (blocks, block, …), the last block filled up."""
    missing = -len(values_T) % block
    whole = F.pad(values_T, (0, 0) * (values_T.dim() - 1) + (0, missing), value=fill)
    return whole.view(-1, block, *values_T.shape[1:])


def _beside(blocks_NL: Tensor, *, fill: int) -> Tensor:
    """Each block with the one before and the one after it, (blocks, 3 * block, …)."""
    around = F.pad(blocks_NL, (0, 0) * (blocks_NL.dim() - 1) + (1, 1), value=fill)
    return torch.cat([around[:-2], around[1:-1], around[2:]], dim=1)
