"""Gradients scaled down to a largest norm, dense ones and those of a few rows of a table alike."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


def clip_gradients(weights: Iterable[Tensor], max_norm: float) -> Tensor:
    """The norm of all gradients, which are scaled down to ``max_norm`` where theirs is larger; 0 leaves them as they are.

    As torch's ``clip_grad_norm_``, which does not know sparse gradients. On a CPU gradients that need no scaling are not touched.
    """
    changed = [weight for weight in weights if weight.grad is not None]
    if changed and isinstance(changed[0], DTensor):  # shards of several processes
        norm: Any = torch.nn.utils.clip_grad_norm_(changed, max_norm or torch.inf)
        whole: Tensor = norm.full_tensor()
        return whole
    sparse = [weight for weight in changed if weight.grad is not None and weight.grad.is_sparse]
    if not sparse and (not changed or changed[0].device.type != "cpu"):
        return torch.nn.utils.clip_grad_norm_(changed, max_norm or torch.inf)
    for weight in sparse:
        assert weight.grad is not None
        weight.grad = weight.grad.coalesce()
    gradients = [weight.grad.values() if weight.grad.is_sparse else weight.grad for weight in changed if weight.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if max_norm and not float(norm) <= max_norm - 1e-6:
        share = (max_norm / (norm + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(share.to(gradient.dtype))
    return norm
