"""What an optimiser keeps, as tensors by name: of each weight, and of those that are not torch's own also what is no tensor."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from headway.errors import CheckpointError
from headway.training.sharding import like, optimizer_tensors
from headway.training.touched_rows import TouchedRowsAdamW

GROUP, NUMBER, NOTHING = "group", "number", "nothing"
"""How the parts of a name before its first dot say what it is: ``group:0:number.step``, ``momentum:nothing.head.weight``."""
MADE_ANEW = ("params", "lr", "lr_share", "initial_lr")
"""What of a group is not what it learnt."""


def optimizer_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All that it takes to go on, by name. Of torch's own optimisers that is what they keep of each weight."""
    found = optimizer_tensors(model, optimizer)
    if _is_torchs(optimizer):
        return found
    found = {name: value.clone() for name, value in found.items()}  # what weights share could not be written
    for name, weight in model.named_parameters():
        for kept, value in optimizer.state.get(weight, {}).items():
            if not isinstance(value, Tensor):
                found[f"{kept}:{NOTHING if value is None else NUMBER}.{name}"] = _number(value, optimizer)
    for place, group in enumerate(optimizer.param_groups):
        for key, value in group.items():
            if isinstance(value, Tensor):
                found[f"{GROUP}:{place}.{key}"] = value.clone()
            elif isinstance(value, bool | int | float) and key not in MADE_ANEW:
                found[f"{GROUP}:{place}:{NUMBER}.{key}"] = _number(value, optimizer)
    return found


def restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put what was kept back, where the model has the weight."""
    weights = dict(model.named_parameters())
    for key, value in tensors.items():
        words, _, name = key.partition(".")
        kept, *kinds = words.split(":")
        plain: Any = None if NOTHING in kinds else value.item() if NUMBER in kinds else value
        if kept == GROUP and kinds:
            optimizer.param_groups[int(kinds[0])][name] = plain
        elif name in weights:
            optimizer.state[weights[name]][kept] = like(weights[name], plain) if isinstance(plain, Tensor) else plain


def _is_torchs(optimizer: torch.optim.Optimizer) -> bool:
    return isinstance(optimizer, TouchedRowsAdamW) or type(optimizer).__module__.startswith("torch.optim.")


def _number(value: Any, optimizer: torch.optim.Optimizer) -> Tensor:
    if value is None:
        return torch.zeros(())
    if not isinstance(value, bool | int | float):
        raise CheckpointError(
            f"{type(optimizer).__name__} keeps a {type(value).__name__}, which no checkpoint here can hold. Use "
            "save_only_model=True, with which training cannot go on, or another optimiser."
        )
    return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
