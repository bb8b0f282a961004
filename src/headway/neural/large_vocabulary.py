"""Cross-entropy over a large vocabulary in chunks of rows, so that the scores of all rows are never there at once.

Each chunk's gradients are made right after its scores (as Hsu et al., 2024, arXiv:2410.10989, section 3.2 do it), so nothing is
kept or computed twice for the way back.

Shapes: T tokens with targets, E width of token vectors, V vocabulary, N rows of a chunk.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from headway.neural.heads import MaskedLanguageModel
from headway.neural.model import EncoderModel

SCORES_AT_ONCE, SCORES_AT_ONCE_ON_GPU = 1 << 22, 1 << 26
"""Scores of one chunk: 16 MiB in float32, and 256 MiB where small products would leave most of the processors idle."""


def scores_of_chunk(device: torch.device) -> int:
    """How many scores are computed at once on this device."""
    return SCORES_AT_ONCE if device.type == "cpu" else SCORES_AT_ONCE_ON_GPU


def masked_lm_loss(model: EncoderModel, states_TD: Tensor, targets_T: Tensor, *, scores_at_once: int | None = None) -> Tensor:
    """Cross-entropy of a masked LM's scores of these tokens, summed over them."""
    changed_TE, table_VE, bias_V = scoring(model, states_TD)
    rows = max(1, (scores_at_once or scores_of_chunk(table_VE.device)) // len(table_VE))
    return _ChunkedCrossEntropy.apply(changed_TE, table_VE, bias_V, targets_T, rows)


def scoring(model: EncoderModel, states_TD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What scores are the product of: the head's vectors of the tokens, the token table, and the biases, zero where none are."""
    head, table_VE = model.head, model.embeddings.token.weight
    assert isinstance(head, MaskedLanguageModel)
    changed_TE = head.norm(head.activation(head.dense(states_TD)))
    return changed_TE, table_VE, head.decoder.bias if head.has_bias else table_VE.new_zeros(len(table_VE))


@torch.no_grad()
def best_tokens(model: EncoderModel, states_TD: Tensor, *, sampled: bool = False) -> Tensor:
    """The token with the best score for each state, or one ``sampled`` in proportion to its probability (Gumbel's maximum)."""
    changed_TE, table_VE, bias_V = scoring(model, states_TD)
    found = []
    for changed_NE in changed_TE.split(max(1, scores_of_chunk(table_VE.device) // len(table_VE))):
        logits_NV = F.linear(changed_NE, table_VE, bias_V).float()
        if sampled:
            logits_NV -= torch.empty_like(logits_NV).exponential_().log()
        found.append(logits_NV.argmax(-1))
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.long, device=states_TD.device)


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The sum over rows, with the gradients of rows, table and bias made on the way forward."""

    @staticmethod
    def forward(ctx: Any, rows_TE: Tensor, table_VE: Tensor, bias_V: Tensor, targets_T: Tensor, at_once: int) -> Tensor:
        wants, device, dtypes = any(ctx.needs_input_grad), rows_TE.device.type, (rows_TE.dtype, table_VE.dtype, bias_V.dtype)
        if torch.is_autocast_enabled(device):  # each once, and not in every chunk
            rows_TE, table_VE, bias_V = (given.to(torch.get_autocast_dtype(device)) for given in (rows_TE, table_VE, bias_V))
        total = torch.zeros((), device=rows_TE.device)
        grad_TE = torch.empty_like(rows_TE) if wants else None
        grad_VE = torch.zeros_like(table_VE, dtype=torch.float32) if wants else None
        grad_V = torch.zeros_like(bias_V, dtype=torch.float32) if wants else None
        for start in range(0, len(rows_TE), at_once):
            own = slice(start, start + at_once)
            rows_NE, targets_N = rows_TE[own], targets_T[own, None]
            logits_NV = F.linear(rows_NE, table_VE, bias_V).float()
            norms_N1 = logits_NV.logsumexp(-1, keepdim=True)
            total += (norms_N1 - logits_NV.gather(1, targets_N)).sum()
            if grad_TE is None or grad_VE is None or grad_V is None:
                continue
            wrong_NV = logits_NV.sub_(norms_N1).exp_()
            wrong_NV.scatter_add_(1, targets_N, wrong_NV.new_full(targets_N.shape, -1.0))
            grad_V += wrong_NV.sum(0)
            wrong_NV = wrong_NV.to(table_VE.dtype)
            grad_TE[own] = (wrong_NV @ table_VE).to(grad_TE.dtype)
            grad_VE += wrong_NV.t() @ rows_NE
        if wants:
            ctx.save_for_backward(grad_TE, grad_VE, grad_V)
            ctx.dtypes = dtypes
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        found = [(grad * upstream).to(dtype) for grad, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)]
        return (*found, None, None)
