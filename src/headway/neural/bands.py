"""Attention within a window along long texts, at a cost that grows with the tokens and not with the square of a text's length.

All tokens stand in one line, cut into blocks no shorter than the window; a query sees keys of its own block and the two beside
it. A mask keeps texts apart.

Shapes: T tokens, N blocks, L tokens of a block, M = 3 L keys, H heads, K head size.
"""

from dataclasses import dataclass

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
    text_T, column_T = _filled(packed.text_numbers()[:tokens], block, fill=-1), _filled(packed.columns_T[:tokens], block, fill=0)
    near_NLM = (column_T.view(-1, block, 1) - _beside(column_T, block, fill=0)[:, None]).abs() <= window
    same_NLM = text_T.view(-1, block, 1) == _beside(text_T, block, fill=-2)[:, None]
    return Band(tokens, block, (near_NLM & same_NLM)[:, None])


def attend_in_band(qkv_T3HK: Tensor, band: Band, *, dropout: float) -> Tensor:
    """Each token's mixture of the values near it, (tokens, heads, head size)."""
    tokens, _, heads, size = qkv_T3HK.shape
    filled_T3HK = _filled(qkv_T3HK, band.block, fill=0)
    q_NHLK = filled_T3HK[:, 0].view(-1, band.block, heads, size).transpose(1, 2)
    k_NHMK, v_NHMK = _beside(filled_T3HK[:, 1:], band.block, fill=0).transpose(-1, -2).unbind(1)
    mixed_NHLK = attend(q_NHLK, k_NHMK, v_NHMK, band.mask_N1LM, dropout=dropout)
    return mixed_NHLK.transpose(1, 2).reshape(-1, heads, size)[:tokens]


def _filled(values_T: Tensor, block: int, *, fill: int) -> Tensor:
    """The tokens up to a whole number of blocks."""
    return F.pad(values_T, (0, 0) * (values_T.dim() - 1) + (0, -len(values_T) % block), value=fill)


def _beside(values_T: Tensor, block: int, *, fill: int) -> Tensor:
    """Each block with the one before and the one after it, (blocks, …, 3 * block): the same memory, seen three times."""
    around_T = F.pad(values_T, (0, 0) * (values_T.dim() - 1) + (block, block), value=fill)
    return around_T.unfold(0, 3 * block, block)
