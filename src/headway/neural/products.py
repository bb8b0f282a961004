"""softmax(Q K^T / sqrt(K)) V, and which kernel computes it.

Shapes: T tokens, H heads, K head size, N texts or blocks, L queries, M keys.
"""

import os
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from headway.neural.dropout import drop
from headway.neural.packing import Packed

AMPERE = (8, 0)
"""The first generation of NVIDIA's GPUs that multiplies bfloat16, and TensorFloat-32."""
FLASH = "_flash_attention_forward"
"""Torch's fused kernel for texts end to end, the one below its ``varlen_attn`` and its nested tensors: unlike the former it has
dropout, and unlike the latter it asks the GPU nothing."""


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


def has_varlen_kernel(qkv_T3HK: Tensor, packed: Packed, *, window: int | None) -> bool:
    """Whether torch's fused kernel for texts end to end can do this: on an NVIDIA GPU from Ampere on, in half precision.

    Its window counts tokens, not columns, so masks with holes are not for it.
    """
    if qkv_T3HK.device.type != "cuda" or qkv_T3HK.dtype not in (torch.float16, torch.bfloat16) or not _has_flash():
        return False
    fits = qkv_T3HK.shape[-1] % 8 == 0 and qkv_T3HK.shape[-1] <= 256
    return fits and (window is None or packed.lengths == packed.extents)


@cache
def _has_flash() -> bool:
    """Whether this torch's kernel knows all that is asked of it here, and whether this GPU can run it."""
    operator = getattr(torch.ops.aten, FLASH, None)
    if operator is None:
        return False
    known = {argument.name for argument in operator.default._schema.arguments}
    wanted = {"cum_seq_q", "cum_seq_k", "dropout_p", "scale", "window_size_left", "window_size_right"}
    return wanted <= known and torch.cuda.get_device_capability() >= AMPERE


def wants_kernel(qkv_T3HK: Tensor, packed: Packed) -> bool:
    """Whether disentangled attention is to run in the kernel of ``disentangled_kernel``: on a GPU, where the user asks for it.

    It is not the default, because it was only ever run in Triton's interpreter. Its distances count tokens, not columns.
    """
    asked = os.environ.get("HEADWAY_TRITON") == "1"
    return asked and qkv_T3HK.device.type == "cuda" and packed.lengths == packed.extents


def attend_varlen(qkv_T3HK: Tensor, packed: Packed, *, window: int | None, dropout: float) -> Tensor:
    """Each token's mixture of its own text's values, (tokens, heads, head size), without groups and without padding.

    Dao, 2023, arXiv:2307.08691.
    """
    bounds, longest = packed.bounds, max(packed.lengths)
    found = torch.ops.aten._flash_attention_forward(
        *qkv_T3HK.unbind(1), bounds, bounds, longest, longest, dropout, False, False,
        scale=qkv_T3HK.shape[-1] ** -0.5, window_size_left=window, window_size_right=window,
    )  # fmt: skip
    mixed_THK: Tensor = found[0]
    return mixed_THK
