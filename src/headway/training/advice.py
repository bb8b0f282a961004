"""What the machine could do that the settings leave unused, and what would make training quicker: facts in, sentences out."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from headway.architecture.cost import PER_STEP, forward_operations
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.tasks import Example
from headway.training.estimate import Estimate, available, estimate, said
from headway.training.moments import intervals
from headway.training.step import gains_from_bf16, half_precision

FEW_TOKENS = {"cpu": 128, "cuda": 2048}
"""Tokens of a batch below which the hardware spends more time between products than in them."""
MANY_CUT = 0.01
"""The share of rows that were cut from which it is worth a word."""
LONG_RUN = 3e15
"""Operations from which a run on a CPU takes hours."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a training before its first step."""

    device: str
    gains_from_bf16: bool
    bf16: bool
    fp16: bool = False
    cores: int
    threads: int
    lengths: tuple[int, ...]
    """Tokens of each row."""
    limit: int
    """Tokens that a row may have; longer ones were cut."""
    model_limit: int
    batch_rows: int
    accumulation: int
    checkpointing: bool
    room: float | None
    """Bytes that are free."""
    plain: Estimate
    """What it needs without gradient checkpointing."""
    whole_step: Estimate
    """What it needs where the rows of a whole step are one batch, without gradient checkpointing."""
    steps: float
    evaluated_rows: int = 0
    """Rows of one evaluation."""
    evaluations: float = 0
    operations: float = 0.0
    """Of the whole run."""
    model_type: str = ""
    hidden_size: int = 0
    layers: int = 0


@dataclass(frozen=True)
class Smaller:
    """A smaller model that is published in place of a larger one, and what it is known to lose."""

    model_type: str
    hidden_size: int
    layers: int
    instead: str
    loss: str


SMALLER = (
    Smaller(
        "bert", 768, 12, "distilbert-base-uncased, 1.6 times as fast",
        "it keeps 97 % of BERT's score on GLUE: 77.0 of 79.5 (Sanh et al., 2019, arXiv:1910.01108, tables 1 and 3)",
    ),
    Smaller(
        "deberta-v2", 768, 12, "microsoft/deberta-v3-small or -xsmall",
        "F1 on SQuAD 2.0 is 82.9 and 84.8 in place of 88.4 (microsoft/DeBERTa, README)",
    ),
    Smaller(
        "electra", 1024, 24, "google/electra-base-discriminator",
        "MNLI is 88.8 in place of 90.9 (google-research/electra, README)",
    ),
    Smaller(
        "electra", 768, 12, "google/electra-small-discriminator",
        "MNLI is 81.3 in place of 88.8 (google-research/electra, README)",
    ),
    Smaller(
        "modernbert", 1024, 28, "answerdotai/ModernBERT-base",
        "MNLI is 89.1 in place of 90.8, SST-2 96.0 in place of 97.1 (Warner et al., 2024, arXiv:2412.13663, table 5)",
    ),
)  # fmt: skip


def advice(facts: Facts) -> list[str]:
    """A sentence or two for each thing that could be better; nothing where all is well."""
    found = (
        _precision(facts),
        _threads(facts),
        _cut(facts),
        _batch(facts),
        _checkpointing(facts),
        _evaluation(facts),
        _size(facts),
    )
    return [line for line in found if line is not None]


def _precision(facts: Facts) -> str | None:
    if facts.fp16 and facts.gains_from_bf16:
        return (
            "Precision: fp16 is on, but this hardware multiplies bfloat16 as fast, and that has the range of float32. Leave fp16 "
            "out to use it."
        )
    if facts.fp16 and facts.device == "cpu":
        return "Precision: fp16 is on, but this CPU has no products in float16, so float32 is quicker. Leave fp16 out."
    if facts.gains_from_bf16 and not facts.bf16:
        return (
            "Precision: bf16 is off, but this hardware multiplies bfloat16 faster than float32. Leave bf16 out to use it; "
            "weights stay in float32."
        )
    if facts.bf16 and not facts.gains_from_bf16:
        return "Precision: bf16 is on, but this hardware has no products in bfloat16, so float32 is quicker. Leave bf16 out."
    return None


def _threads(facts: Facts) -> str | None:
    if facts.device != "cpu" or facts.threads >= facts.cores:
        return None
    return f"Threads: torch uses {facts.threads} of {facts.cores} cores. Set OMP_NUM_THREADS={facts.cores}, or leave it unset."


def _cut(facts: Facts) -> str | None:
    full = sum(length >= facts.limit for length in facts.lengths)
    if not facts.lengths or full / len(facts.lengths) < MANY_CUT:
        return None
    share = f"Lengths: {full:,} of {len(facts.lengths):,} rows ({full / len(facts.lengths):.0%}) fill max_length={facts.limit}"
    if facts.limit < facts.model_limit:
        return (
            f"{share}, so what they had beyond it is lost. The model reads up to {facts.model_limit:,} tokens: raise max_length."
        )
    return (
        f"{share}, which is all that the model reads; what they had beyond it is lost. Divide long texts, or use a model for "
        "longer ones (ModernBERT reads 8,192 tokens)."
    )


def _batch(facts: Facts) -> str | None:
    if not facts.lengths:
        return None
    tokens, few = facts.batch_rows * float(np.mean(facts.lengths)), FEW_TOKENS[facts.device]
    together = facts.batch_rows * facts.accumulation
    if facts.accumulation > 1 and tokens < 8 * few and _fits(facts.whole_step, facts.room):
        return (
            f"Batches: {facts.accumulation} batches of {facts.batch_rows} rows are accumulated, but memory holds them at once. "
            f"per_device_train_batch_size={together} with gradient_accumulation_steps=1 takes the same steps, faster."
        )
    if tokens >= few:
        return None
    rows = int(-(-few // float(np.mean(facts.lengths))))
    return (
        f"Batches: one holds {tokens:.0f} tokens on average, too few for this hardware to be quick. From about {rows} rows on "
        "(per_device_train_batch_size) it is; more rows take a higher learning rate."
    )


def _checkpointing(facts: Facts) -> str | None:
    if not facts.checkpointing or not _fits(facts.plain, facts.room):
        return None
    return (
        "Memory: gradient_checkpointing computes every layer twice, a third more work, but without it all would fit as well. "
        "Leave it out."
    )


def _fits(found: Estimate, room: float | None) -> bool:
    return room is not None and found.to_come < room / 2


def _evaluation(facts: Facts) -> str | None:
    learnt = PER_STEP * facts.steps * facts.batch_rows * facts.accumulation
    read = facts.evaluated_rows * facts.evaluations
    if read <= learnt:
        return None
    return (
        f"Evaluation: {facts.evaluations:,.0f} evaluations of {facts.evaluated_rows:,} rows cost more than the training itself. "
        "Raise eval_steps, or evaluate on fewer rows."
    )


def _size(facts: Facts) -> str | None:
    if facts.device != "cpu" or facts.operations < LONG_RUN:
        return None
    for one in SMALLER:
        if (one.model_type, one.hidden_size, one.layers) == (facts.model_type, facts.hidden_size, facts.layers):
            return f"Size: this will take long on a CPU. Quicker is {one.instead}; {one.loss}."
    return None


def advice_at_start(
    model: EncoderModel, examples: Sequence[Example], arguments: TrainingArguments, *, held_out: Any = None
) -> list[str]:
    """The estimate of memory, and advice, for training on the examples and evaluating on what is held out."""
    rows = [tuple(map(len, example.sequences)) for example in examples]
    facts = facts_of(model, rows, arguments, evaluated_rows=len(held_out) if hasattr(held_out, "__len__") else 0)
    largest, checkpointing = _largest(rows, facts.batch_rows), arguments.gradient_checkpointing
    needed = estimate(model, largest, arguments, low=facts.bf16 or facts.fp16, checkpointing=checkpointing)
    return [*said(needed, facts.room), *advice(facts)]


def facts_of(model: EncoderModel, rows: Sequence[Sequence[int]], arguments: TrainingArguments, *, evaluated_rows: int) -> Facts:
    """What is known of this training; ``rows`` are the tokens of each row's sequences."""
    device, lengths = model.device, tuple(sum(row) for row in rows)
    gains, encoder = gains_from_bf16(device), model.architecture.encoder
    batch, accumulation = arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps
    a_epoch = -(-len(rows) // (batch * accumulation))
    steps = float(arguments.max_steps) if arguments.max_steps > 0 else a_epoch * arguments.num_train_epochs
    half = half_precision(device, bf16=arguments.bf16, fp16=arguments.fp16)
    low = half is not None
    pass_over = forward_operations(model.architecture, [one for row in rows for one in row], targets=len(rows))
    return Facts(
        device=device.type if device.type in FEW_TOKENS else "cpu",
        gains_from_bf16=gains,
        bf16=half == torch.bfloat16,
        fp16=arguments.fp16,
        cores=_cores(),
        threads=torch.get_num_threads(),
        lengths=lengths,
        limit=_limit(model, arguments),
        model_limit=encoder.max_tokens,
        batch_rows=batch,
        accumulation=accumulation,
        checkpointing=arguments.gradient_checkpointing,
        room=available(device),
        plain=estimate(model, _largest(rows, batch), arguments, low=low, checkpointing=False),
        whole_step=estimate(model, _largest(rows, batch * accumulation), arguments, low=low, checkpointing=False),
        steps=steps,
        evaluated_rows=evaluated_rows,
        evaluations=_evaluations(arguments, steps, a_epoch),
        operations=PER_STEP * pass_over * steps * batch * accumulation / max(1, len(rows)),
        model_type=model.config.model_type,
        hidden_size=encoder.hidden_size,
        layers=len(encoder.steps),
    )


def _limit(model: EncoderModel, arguments: TrainingArguments) -> int:
    """Tokens that a row may have. Contexts of questions are read in windows, of which none loses what another holds."""
    most = model.architecture.encoder.max_tokens
    return most + 1 if model.head_name == "question-answering" else min(most, arguments.max_length or most)


def _evaluations(arguments: TrainingArguments, steps: float, a_epoch: int) -> float:
    match arguments.eval_strategy:
        case "no":
            return 0.0
        case "epoch":
            return steps / a_epoch
        case _:
            return steps / intervals(arguments, math.ceil(steps)).evaluating


def _largest(rows: Sequence[Sequence[int]], count: int) -> list[int]:
    """The tokens of the sequences of the longest rows, as many as a batch has."""
    longest = sorted(rows, key=sum, reverse=True)[:count]
    return [length for row in longest for length in row]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
