"""AdamW with the usual groups, and learning rates as a function of the step."""

import math

import torch
from torch import nn

from headway.settings.training import TrainingArguments


def make_optimizer(model: nn.Module, arguments: TrainingArguments) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101); biases and normalisation weights do not decay."""
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for _, weight in trained if weight.dim() > 1], "weight_decay": arguments.weight_decay},
        {"params": [weight for _, weight in trained if weight.dim() == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=arguments.learning_rate,
        betas=(arguments.adam_beta1, arguments.adam_beta2),
        eps=arguments.adam_epsilon,
        fused=True,
    )


def learning_rate(step: int, *, total: int, arguments: TrainingArguments) -> float:
    """The rate of one step, counted from 0, of ``total``: linear warm-up, then the schedule's fall."""
    warmup = arguments.warmup_steps
    warm = math.ceil(warmup * total) if warmup < 1 else int(warmup)
    if arguments.lr_scheduler_type == "constant":
        return arguments.learning_rate
    if step < warm:
        return arguments.learning_rate * step / warm
    done = (step - warm) / max(1, total - warm)
    match arguments.lr_scheduler_type:
        case "linear":
            share = 1 - done
        case "cosine":
            share = (1 + math.cos(math.pi * done)) / 2
        case "constant_with_warmup":
            share = 1.0
    return arguments.learning_rate * max(0.0, share)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use this rate for every weight at the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate
