"""One optimiser step, a function: no state, no logging, no choice of device."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

import torch

from headway.neural.model import EncoderModel
from headway.training.batch import Batch, Count, LossSum, number_of_targets

Tell: TypeAlias = Callable[[str], None]
"""Tells whoever wants to know that something has happened."""

Precision: TypeAlias = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class StepResult:
    """What one step saw: the mean loss over its targets, the gradients' norm before clipping, and its tokens."""

    loss: float
    gradient_norm: float
    tokens: int


def train_step(
    model: EncoderModel,
    batches: Sequence[Batch],
    *,
    loss_sum: LossSum,
    optimizer: torch.optim.Optimizer,
    precision: Precision,
    max_grad_norm: float,
    count: Count = number_of_targets,
    tell: Tell = lambda event: None,
) -> StepResult:
    """Accumulate the batches' gradients and take one step.

    The loss is summed over targets and divided by those of the whole step, as ``count`` counts them, so the weights are the same
    however the texts are divided. ``tell`` is called with ``substep_end``, ``pre_optimizer_step`` and ``optimizer_step``.
    """
    targets = sum(map(count, batches)) or 1.0
    total = torch.zeros((), device=model.device)
    for number, batch in enumerate(batches, 1):
        with precision():
            loss = loss_sum(model, batch) / targets
        loss.backward()
        total += loss.detach()
        if number < len(batches):
            tell("substep_end")
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm or torch.inf)
    tell("pre_optimizer_step")
    optimizer.step()
    tell("optimizer_step")
    optimizer.zero_grad(set_to_none=True)
    return StepResult(float(total), float(norm), sum(batch.tokens for batch in batches))


def mixed_precision(device: torch.device, *, bf16: bool | None) -> Precision:
    """Products in bfloat16 over float32 weights where asked for or, with None, where the hardware gains from it."""
    if gains_from_bf16(device) if bf16 is None else bf16:
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return nullcontext


def gains_from_bf16(device: torch.device) -> bool:
    """Whether this hardware multiplies bfloat16 faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
