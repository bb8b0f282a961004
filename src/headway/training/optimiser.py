"""Optimisers by their known names, and which weights share a learning rate and a decay."""

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from headway.errors import ConfigError, missing_extra
from headway.settings.changes import named_values
from headway.settings.training import TrainingArguments
from headway.training.touched_rows import TouchedRowsAdamW, touched_table

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw_torch_fused": torch.optim.AdamW,
    "adamw_torch": torch.optim.AdamW,
    "adafactor": torch.optim.Adafactor,
    "adagrad": torch.optim.Adagrad,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
OPTIMI: Mapping[str, str] = {"lion_32bit": "Lion", "stable_adamw": "StableAdamW"}
"""Those of the library optimi, and what they are called there."""
ADAMS = ("adamw_torch_fused", "adamw_torch", "nadam", "radam", "stable_adamw")
ADAPTED = "base_model.model."
"""What stands before the names of weights where ``peft`` put adapters into the model."""
DECOUPLED = ("nadam", "radam")
"""Those whose weight decay is AdamW's only if that is asked for."""


def make_optimizer(model: nn.Module, arguments: TrainingArguments) -> torch.optim.Optimizer:
    """The optimiser that the arguments name, by default AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101).

    ``adamw_torch_fused`` spends nothing on rows of the token table that no token touched, where that can be had
    (``touched_rows``); ``finishing`` is what it is used in.
    """
    kind = OPTIMIZERS[arguments.optim] if arguments.optim in OPTIMIZERS else _of_optimi(arguments.optim)
    settings = _usual(arguments) | named_values(arguments.optim_args, of="an optimiser", example="momentum=0.9")
    known = set(inspect.signature(kind).parameters) - {"params", "lr", "weight_decay"}
    if unknown := [name for name in settings if name not in known]:
        raise ConfigError(
            f"optim_args has {unknown[0]!r}, which is no setting of {arguments.optim}. Its settings are: "
            f"{', '.join(sorted(known))}."
        )
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    table = touched_table(model, plain) if arguments.optim == "adamw_torch_fused" else None
    groups = weight_groups(model, arguments)
    if table is not None:
        return TouchedRowsAdamW(groups, table=table, lr=arguments.learning_rate, **plain)
    return kind(groups, lr=arguments.learning_rate, **plain)


@contextmanager
def finishing(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """At the end, however it comes, the weights are what the steps made of them, also those that would have been got to later."""
    try:
        yield
    finally:
        if isinstance(optimizer, TouchedRowsAdamW):
            optimizer.finish()


def weight_groups(model: nn.Module, arguments: TrainingArguments) -> list[dict[str, Any]]:
    """The weights that are trained, grouped by decay and by share of the learning rate, ``lr_share``.

    Biases and normalisation weights do not decay. With ``layerwise_lr_decay`` each layer has that share of the rate of the one
    above it, the embeddings of the first layer's (Clark et al., 2020, arXiv:2003.10555, appendix B).
    """
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    weights = {name.removeprefix(ADAPTED): weight for name, weight in model.named_parameters()}
    layers = number_of_layers(weights)
    for name, weight in weights.items():
        if weight.requires_grad:
            share = arguments.layerwise_lr_decay ** (layers + 1 - depth(name, layers))
            groups.setdefault((weight.dim() > 1, share), []).append(weight)
    return [
        {
            "params": weights,
            "weight_decay": arguments.weight_decay if decays else 0.0,
            "lr": arguments.learning_rate * share,
            "lr_share": share,
        }
        for (decays, share), weights in sorted(groups.items(), key=lambda group: group[0], reverse=True)
    ]


def number_of_layers(names: Iterable[str]) -> int:
    """How many layers have weights of their own."""
    return 1 + max((int(name.split(".")[1]) for name in names if name.startswith("layers.")), default=-1)


def depth(name: str, layers: int) -> int:
    """How far up a weight stands: 0 in the embeddings, from 1 on in the layers, one more above them."""
    if name.startswith("embeddings."):
        return 0
    return 1 + int(name.split(".")[1]) if name.startswith("layers.") else layers + 1


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use this rate at the next step, or each group's share of it."""
    for group in optimizer.param_groups:
        share = group.get("lr_share", 1.0)
        if share is not None:  # else a schedule of the user's own sets it
            group["lr"] = rate * share


def _of_optimi(name: str) -> Callable[..., torch.optim.Optimizer]:
    if importlib.util.find_spec("optimi") is None:
        raise missing_extra("torch-optimi", extra="optimisers", purpose=f"optim={name!r}")
    found: Callable[..., torch.optim.Optimizer] = getattr(importlib.import_module("optimi"), OPTIMI[name])
    return found


def _usual(arguments: TrainingArguments) -> dict[str, Any]:
    betas = {"betas": (arguments.adam_beta1, arguments.adam_beta2)}
    if arguments.optim not in ADAMS:
        return betas if arguments.optim == "lion_32bit" else {}
    usual: dict[str, Any] = betas | {"eps": arguments.adam_epsilon}
    if arguments.optim in OPTIMI:
        return usual
    if arguments.optim in DECOUPLED:
        return usual | {"decoupled_weight_decay": True}
    return usual | {"fused": arguments.optim == "adamw_torch_fused"}
