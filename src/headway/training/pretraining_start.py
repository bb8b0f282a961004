"""What a pre-training needs and what would make it quicker, said before its first step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from headway.architecture import Architecture
from headway.architecture.parts import MaskedLanguageModelHead, PreTrainingHead
from headway.inference.engine import usable_cores
from headway.neural.large_vocabulary import scores_of_chunk
from headway.settings.pretraining import PretrainSettings
from headway.training.advice import FEW_TOKENS, Facts, advice
from headway.training.estimate import Estimate, activation_bytes, available, estimate, said
from headway.training.machine import matrix_product_peak
from headway.training.pretraining_objective import PretrainingObjective
from headway.training.processes import current
from headway.training.step import gains_from_bf16, half_precision
from headway.training.view import amount

SAMPLE = 1000
"""Texts of which the work is counted; that of the others is taken to be alike."""
UNITS = (("minutes", 60), ("hours", 3600), ("days", 86400), ("years", 365.25 * 86400))


@dataclass(frozen=True, kw_only=True)
class Work:
    """How much a pre-training computes, and how fast the machine could at best."""

    steps: int
    tokens: float
    """Of all steps, in all processes."""
    operations: float
    """Of all steps, in one process."""
    peak: float
    """Operations a second of the machine's matrix products."""


def needed(
    model: Any, objective: PretrainingObjective, lengths: np.ndarray, settings: PretrainSettings, *, low: bool, batches: int = 1
) -> Estimate:
    """Memory for the longest texts that so many batches hold together; ``low``: products are in half precision."""
    longest = longest_texts(lengths, batches * settings.tokens_per_batch)
    first, *others = objective.encoders(model)
    checkpointing = settings.gradient_checkpointing
    found = estimate(model, longest, settings, low=low, checkpointing=checkpointing)
    more = sum(
        activation_bytes(encoder.architecture, longest, low=low, checkpointing=checkpointing, fused=encoder.device.type == "cuda")
        for encoder in others
    )
    heads = sum(scores_bytes(encoder.architecture, encoder.device) for encoder in (first, *others))
    return replace(found, activations=found.activations + more + heads)


def longest_texts(lengths: np.ndarray, tokens: int) -> list[int]:
    """The longest texts that a batch of so many tokens may hold, one of them at least."""
    falling = np.sort(lengths)[::-1]
    return falling[: max(1, int(np.searchsorted(falling.cumsum(), tokens, side="right")))].tolist()


def scores_bytes(architecture: Architecture, device: torch.device) -> float:
    """Bytes that a masked LM's scores take: those of a chunk with what is made of them, and the gradient of the token table."""
    head = architecture.head.masked_lm if isinstance(architecture.head, PreTrainingHead) else architecture.head
    if not isinstance(head, MaskedLanguageModelHead):
        return 0.0
    return 4.0 * (2 * scores_of_chunk(device) + head.vocab_size * architecture.encoder.embeddings.size)


def work_of(model: Any, objective: PretrainingObjective, lengths: np.ndarray, settings: PretrainSettings, *, peak: float) -> Work:
    """What all steps compute, by the work of some of the texts."""
    some = lengths[:: max(1, len(lengths) // SAMPLE)]
    a_token = objective.operations(model, some.tolist(), round(settings.mlm_probability * some.sum())) / some.sum()
    a_step, processes = settings.tokens_per_batch * settings.gradient_accumulation_steps, current().count
    epochs = settings.num_train_epochs * float(lengths.sum()) / processes
    tokens = float(settings.max_steps * a_step if settings.max_steps > 0 else epochs)
    steps = max(1, round(tokens / a_step))
    return Work(steps=steps, tokens=tokens * processes, operations=a_token * tokens, peak=peak)


def said_of_work(work: Work, *, precision: str) -> list[str]:
    """How long it will take at least, where that is a minute or more."""
    seconds = work.operations / work.peak if work.peak else 0.0
    if seconds < UNITS[0][1]:
        return []
    return [
        f"Time: {work.tokens:,.0f} tokens in {work.steps:,} steps take at least {span(seconds)} at the "
        f"{amount(work.peak, 'FLOP/s')} that this machine's matrix products reach in {precision}."
    ]


def span(seconds: float) -> str:
    """A time in the largest unit of which it is more than one and a half."""
    unit, size = next(((unit, size) for unit, size in reversed(UNITS) if seconds >= 1.5 * size), UNITS[0])
    count = seconds / size
    return f"{count:,.0f} {unit}" if count >= 10 else f"{count:.1f} {unit}"


def advice_at_start(model: Any, objective: PretrainingObjective, lengths: np.ndarray, settings: PretrainSettings) -> list[str]:
    """The estimate of memory and of time, and advice. ``lengths`` are the tokens of each text of an epoch."""
    half = half_precision(model.device, bf16=settings.bf16, fp16=settings.fp16)
    work = work_of(model, objective, lengths, settings, peak=matrix_product_peak(model.device, half=half))
    plain = replace(settings, gradient_checkpointing=False)
    facts = Facts(
        device=model.device.type,
        gains_from_bf16=gains_from_bf16(model.device),
        bf16=half == torch.bfloat16,
        fp16=settings.fp16,
        cores=usable_cores(),
        threads=torch.get_num_threads(),
        lengths=(),  # texts are cut to fit, and nothing is lost: there is nothing to say of them
        limit=model.architecture.encoder.max_tokens,
        model_limit=model.architecture.encoder.max_tokens,
        batch_rows=1,
        accumulation=settings.gradient_accumulation_steps,
        checkpointing=settings.gradient_checkpointing,
        room=available(model.device),
        plain=needed(model, objective, lengths, plain, low=half is not None),
        whole_step=needed(model, objective, lengths, plain, low=half is not None, batches=settings.gradient_accumulation_steps),
        steps=1.0,
    )
    memory = needed(model, objective, lengths, settings, low=half is not None)
    precision = "fp32" if half is None else "fp16" if facts.fp16 else "bf16"
    return [
        *said(memory, facts.room, batch="tokens_per_batch"),
        *said_of_work(work, precision=precision),
        *advice(facts),
        *_of_batches(facts, settings),
    ]


def _of_batches(facts: Facts, settings: PretrainSettings) -> Sequence[str]:
    """Small batches that are accumulated where memory would hold them at once."""
    tokens, together = settings.tokens_per_batch, settings.tokens_per_batch * facts.accumulation
    fits = facts.room is not None and facts.whole_step.to_come < facts.room / 2
    if facts.accumulation == 1 or tokens >= 8 * FEW_TOKENS[facts.device] or not fits:
        return []
    return [
        f"Batches: {facts.accumulation} batches of {tokens:,} tokens are accumulated, but memory holds them at once. "
        f"tokens_per_batch={together} with gradient_accumulation_steps=1 takes the same steps, faster."
    ]
