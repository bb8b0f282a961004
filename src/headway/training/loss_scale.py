"""Losses of float16 products, made larger so that small gradients are not lost, and gradients made as much smaller again.

Micikevicius et al., 2018, arXiv:1710.03740, section 3.2. How large they are made is torch's ``GradScaler``'s to decide.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class LossScale:
    """The factor: larger from time to time, half as large after a step whose gradients were too large for float16."""

    def __init__(self, device: torch.device, state: Mapping[str, Any]) -> None:
        self.scaler = torch.amp.GradScaler(device.type)
        if state:
            self.scaler.load_state_dict(dict(state))
        self.scaled(torch.zeros((), device=device))  # a process without a batch in its first step needs the factor as well

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss times the factor."""
        found: Tensor = self.scaler.scale(loss)
        return found

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the factor, and note whether all of them are numbers."""
        self.scaler.unscale_(optimizer)

    def update(self) -> None:
        """The factor of the next step."""
        self.scaler.update()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, ready for JSON."""
        return dict(self.scaler.state_dict())
