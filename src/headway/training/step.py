"""One optimiser step, a function: no state, no logging, no choice of device."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import torch
from torch import Tensor

from headway.neural.model import EncoderModel
from headway.training.batch import Batch, Count, LossSum, number_of_targets
from headway.training.clipping import clip_gradients
from headway.training.loss_scale import LossScale
from headway.training.out_of_memory import accumulate_what_fits, take_step
from headway.training.processes import ALONE, Processes

Tell: TypeAlias = Callable[[str], None]
"""Tells whoever wants to know that something has happened."""

Precision: TypeAlias = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class StepResult:
    """What one step saw: the mean loss over its targets, the gradients' norm before clipping, and its tokens.

    ``max_tokens`` is how many tokens at once memory was found to hold; None where it held whatever it was given. A GPU's numbers
    stay there, (), until somebody reads them: that waits for the step, and the next one could have been on its way.
    """

    loss: float | Tensor
    gradient_norm: float | Tensor
    tokens: int
    max_tokens: int | None = None

    def over(self, processes: Processes) -> Self:
        """What all processes saw together: losses and tokens added up, and the tokens at once that fit into each memory."""
        if processes.count == 1:
            return self
        losses, tokens, limits = processes.numbers(float(self.loss), self.tokens, self.max_tokens or math.inf).T
        most = None if math.isinf(limits.min()) else int(limits.min())
        return replace(self, loss=float(losses.sum()), tokens=int(tokens.sum()), max_tokens=most)


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
    max_tokens: int | None = None,
    processes: Processes = ALONE,
    scale: LossScale | None = None,
) -> StepResult:
    """Accumulate the batches' gradients and take one step.

    The loss is summed over targets and divided by those of the whole step, as ``count`` counts them, so the weights are the same
    however the texts are divided, among batches or ``processes``. ``tell`` is called with ``substep_end``,
    ``pre_optimizer_step`` and ``optimizer_step``.
    Batches of more than ``max_tokens`` run in parts, and so does all of it once memory does not suffice. With a ``scale``, which
    float16 needs, gradients that are no numbers change no weight.
    """
    targets = processes.sum(sum(map(count, batches))) or 1.0
    total = torch.zeros((), device=model.device)
    last_done = 0

    def accumulate(part: Batch) -> None:
        with precision():
            loss = loss_sum(model, part) / targets
        (loss if scale is None else scale.scaled(loss)).backward()
        total.add_(loss.detach())

    def done(number: int) -> None:
        nonlocal last_done
        if last_done < number < len(batches):
            tell("substep_end")
        last_done = max(last_done, number)

    max_tokens = accumulate_what_fits(
        model, batches, device=total.device, begin=total.zero_, accumulate=accumulate, done=done, max_tokens=max_tokens
    )
    processes.add_gradients(model)
    if scale is not None:
        scale.unscale(optimizer)
    norm = clip_gradients(model.parameters(), max_grad_norm)
    tell("pre_optimizer_step")
    if scale is None or math.isfinite(norm):
        take_step(optimizer)
    if scale is not None:
        scale.update()
    tell("optimizer_step")
    optimizer.zero_grad(set_to_none=True)
    tokens = sum(batch.tokens for batch in batches)
    if total.device.type == "cpu":
        return StepResult(float(total), float(norm), tokens, max_tokens)
    return StepResult(total, norm, tokens, max_tokens)


def mixed_precision(device: torch.device, *, bf16: bool | None, fp16: bool = False) -> Precision:
    """Products in half precision over float32 weights."""
    half = half_precision(device, bf16=bf16, fp16=fp16)
    return nullcontext if half is None else lambda: torch.autocast(device.type, half)


def half_precision(device: torch.device, *, bf16: bool | None, fp16: bool = False) -> torch.dtype | None:
    """float16 or bfloat16 where asked for; without either, and ``bf16`` None, bfloat16 where the hardware gains from it."""
    if fp16:
        return torch.float16
    return torch.bfloat16 if (gains_from_bf16(device) if bf16 is None else bf16) else None


def gains_from_bf16(device: torch.device) -> bool:
    """Whether this hardware multiplies bfloat16 faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
