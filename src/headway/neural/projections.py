"""The maps of a layer's queries, keys and values: one matrix, so one product, whose thirds can be picked by their names.

Adapters stand in the place of single maps: ``peft`` is told ``target_modules=["query", "value"]``, as for BERT elsewhere. Each
third is therefore a module that has no weights of its own, but looks at its rows of the whole. Once another module stands in the
place of one, each third is computed by itself.

Shapes: T tokens, D hidden, E three times hidden.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

THIRDS = ("query", "key", "value")


class JoinedProjection(nn.Module):
    """Queries, keys and values of tokens, side by side."""

    weight: Tensor
    bias: Tensor | None
    query: nn.Module
    key: nn.Module
    value: nn.Module

    def __init__(self, hidden_size: int, *, bias: bool) -> None:
        super().__init__()
        whole = nn.Linear(hidden_size, 3 * hidden_size, bias=bias)
        self.in_features, self.out_features = hidden_size, 3 * hidden_size
        self.weight = whole.weight
        self.register_parameter("bias", whole.bias)
        for number, name in enumerate(THIRDS):
            setattr(self, name, Third(self, number))

    def forward(self, states_TD: Tensor) -> Tensor:
        """(tokens, three times hidden)."""
        if self.is_adapted:
            return torch.cat([self.query(states_TD), self.key(states_TD), self.value(states_TD)], dim=-1)
        return F.linear(states_TD, self.weight, self.bias)

    @property
    def is_adapted(self) -> bool:
        """Whether something else stands in the place of a third."""
        return not all(type(self._modules[name]) is Third for name in THIRDS)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if type(value) is Third:  # its place is its own again: what was merged into it counts
            value.write_back()


class Third(nn.Linear):
    """One of the three maps: rows of the whole, whatever that is at the time."""

    def __init__(self, whole: JoinedProjection, number: int) -> None:
        nn.Module.__init__(self)  # a linear map without parameters of its own
        self.in_features = self.out_features = whole.in_features
        vars(self)["_whole"] = (whole,)  # hidden from torch, which would take it for a part of this one
        vars(self)["_rows"] = slice(number * whole.in_features, (number + 1) * whole.in_features)
        vars(self)["_kept"] = None

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """(hidden, hidden). The same tensor again while it is not trained, so that its ``data`` can be set."""
        whole: Tensor = vars(self)["_whole"][0].weight
        rows: Tensor = whole[vars(self)["_rows"]]
        if rows.requires_grad:
            return rows
        kept = vars(self)["_kept"]
        if kept is None or kept[0] != whole.data_ptr() or kept[1].dtype != whole.dtype:
            kept = vars(self)["_kept"] = (whole.data_ptr(), rows)
        return kept[1]

    @property
    def bias(self) -> Tensor | None:  # type: ignore[override]
        """(hidden,)."""
        whole: Tensor | None = vars(self)["_whole"][0].bias
        return None if whole is None else whole[vars(self)["_rows"]]

    def write_back(self) -> None:
        """Put into the whole what somebody set as this one's ``data``."""
        kept = vars(self)["_kept"]
        whole: Tensor = vars(self)["_whole"][0].weight
        if kept is not None and kept[0] == whole.data_ptr():
            rows = whole.detach()[vars(self)["_rows"]]
            if rows.data_ptr() != kept[1].data_ptr():
                rows.copy_(kept[1])
        vars(self)["_kept"] = None
