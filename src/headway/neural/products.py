"""softmax(Q K^T / sqrt(K)) V, and which kernel computes it.

Shapes: T tokens, H heads, K head size, N texts or blocks, L queries, M keys.
"""

import os

import torch
import torch.nn.functional as F
from torch import Tensor

from headway.neural.dropout import drop
from headway.neural.packing import Packed

VARLEN_SINCE = "2.13"
"""The first torch whose kernel for texts end to end is known here to have windows and gradients."""


def attend(q_NHLK: Tensor, k_NHMK: Tensor, v_NHMK: Tensor, mask: Tensor | None, *, dropout: float) -> Tensor:
    """Each query's mixture of values, (texts, heads, queries, head size).

    ``mask`` is True where a key may be seen, or holds numbers to add to the scores. Torch's fused kernel, but for two cases: it
    has no gradient for such numbers, and in bf16 training on a CPU its backward pass is slower than that of plain products.
    """
    slow = q_NHLK.device.type == "cpu" and q_NHLK.dtype != torch.float32 and torch.is_grad_enabled()
    if slow or (mask is not None and mask.requires_grad):
        return attend_openly(q_NHLK, k_NHMK, v_NHMK, mask, dropout=dropout)[0]
    if mask is not None and mask.is_floating_point():
        mask = mask.to(q_NHLK.dtype)
    return F.scaled_dot_product_attention(q_NHLK, k_NHMK, v_NHMK, attn_mask=mask, dropout_p=dropout)


def attend_openly(
    q_NHLK: Tensor, k_NHMK: Tensor, v_NHMK: Tensor, mask: Tensor | None, *, dropout: float, gives_scores: bool = False
) -> tuple[Tensor, Tensor]:
    """The same by plain products, and the weights (texts, heads, queries, keys) as well, or the scores that they are made of."""
    scores_NHLM = torch.matmul(q_NHLK * q_NHLK.shape[-1] ** -0.5, k_NHMK.transpose(-1, -2))
    return mix(masked(scores_NHLM, mask), v_NHMK, dropout=dropout, gives_scores=gives_scores)


def masked(scores: Tensor, mask: Tensor | None) -> Tensor:
    """The scores with what may not be seen at the lowest finite number (a row of nothing else must not become NaN)."""
    if mask is None:
        return scores
    if mask.is_floating_point():
        return scores + mask.to(scores.dtype)
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)


def mix(scores: Tensor, values: Tensor, *, dropout: float, gives_scores: bool = False) -> tuple[Tensor, Tensor]:
    """The values mixed by the scores' softmax after dropout, and these weights, or the scores themselves."""
    weights = drop(scores.softmax(-1), dropout).to(values.dtype)
    return torch.matmul(weights, values), scores if gives_scores else weights


def has_varlen_kernel(qkv_T3HK: Tensor, packed: Packed, *, window: int | None, dropout: float) -> bool:
    """Whether torch's fused kernel for texts end to end can do this: on a GPU, in half precision, without dropout.

    Its window counts tokens, not columns, so masks with holes are not for it.
    """
    has_kernel = torch.__version__ >= VARLEN_SINCE and qkv_T3HK.device.type == "cuda"
    if not has_kernel or qkv_T3HK.dtype not in (torch.float16, torch.bfloat16) or dropout:
        return False
    fits = qkv_T3HK.shape[-1] % 8 == 0 and qkv_T3HK.shape[-1] <= 256
    return fits and (window is None or packed.lengths == packed.extents)


def wants_kernel(qkv_T3HK: Tensor, packed: Packed) -> bool:
    """Whether disentangled attention is to run in the kernel of ``disentangled_kernel``: on a GPU, where the user asks for it.

    It is not the default, because it was only ever run in Triton's interpreter. Its distances count tokens, not columns.
    """
    asked = os.environ.get("HEADWAY_TRITON") == "1"
    return asked and qkv_T3HK.device.type == "cuda" and packed.lengths == packed.extents


def attend_varlen(qkv_T3HK: Tensor, packed: Packed, *, window: int | None) -> Tensor:
    """Each token's mixture of its own text's values, (tokens, heads, head size), without groups and without padding."""
    from torch.nn.attention.varlen import varlen_attn

    q_THK, k_THK, v_THK = qkv_T3HK.unbind(1)
    ends = torch.cat([packed.first_B, packed.first_B.new_tensor([packed.tokens])]).int()
    longest = max(packed.lengths)
    reach = (-1, -1) if window is None else (window, window)
    mixed_THK = varlen_attn(q_THK, k_THK, v_THK, ends, ends, longest, longest, window_size=reach)
    assert isinstance(mixed_THK, Tensor)
    return mixed_THK
