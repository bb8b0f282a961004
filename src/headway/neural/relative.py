"""Tables of relative positions, which all layers share, spread out by distance once per forward pass.

Shapes: P rows of a table that are used, R = 2 L - 1 distances of texts of L tokens, H heads, D hidden.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from headway.architecture import BucketBias, Disentangled, Encoder
from headway.architecture.relative import table_rows
from headway.neural.norms import make_norm
from headway.neural.packing import placed


class RelativeTable(nn.Embedding):
    """A vector for each relative position, or a number for each head; normalised when it is used, where the family does so."""

    def __init__(self, parts: BucketBias | Disentangled, encoder: Encoder) -> None:
        if isinstance(parts, BucketBias):
            super().__init__(parts.buckets, encoder.layers[0].attention.num_heads)
            self.norm: nn.Module = nn.Identity()
        else:
            super().__init__(2 * parts.span, encoder.hidden_size)
            self.norm = make_norm(parts.norm, encoder.hidden_size)
        self.parts = parts


@dataclass(frozen=True)
class Distances:
    """The rows of a table that texts of at most ``longest`` slots need, and which of them each distance takes.

    Distances fall from ``longest - 1`` to its negative. ``row`` is None where each has a row of its own, in this order.
    """

    longest: int
    table_PD: Tensor
    row_R: Tensor | None

    def falling(self, values_HPK: Tensor) -> Tensor:
        """What was made of the rows, for each distance, (heads, distances, head size)."""
        return values_HPK if self.row_R is None else values_HPK.index_select(1, self.row_R)

    def rising(self, values_HPK: Tensor) -> Tensor:
        """The same the other way round."""
        return values_HPK.flip(1) if self.row_R is None else values_HPK.index_select(1, self.row_R.flip(0))


def distances(table: RelativeTable, longest: int) -> Distances:
    """The part of the table for these texts: short ones touch few of its rows."""
    rows_R = torch.from_numpy(table_rows(table.parts, np.arange(longest - 1, -longest, -1)))
    used_P, row_R = rows_R.unique(return_inverse=True)
    device = table.weight.device
    if len(used_P) == len(rows_R):
        return Distances(longest, table.norm(table(placed(rows_R, device))), None)
    return Distances(longest, table.norm(table(placed(used_P, device))), placed(row_R, device))


def bias_by_distance(table: RelativeTable, longest: int) -> Tensor:
    """A bucket table as what it adds to the scores of a text of ``longest`` tokens, (heads, queries, keys).

    That of a shorter text is its upper left corner.
    """
    rows_R = torch.from_numpy(table_rows(table.parts, np.arange(longest - 1, -longest, -1)))
    by_distance_HR = table(placed(rows_R, table.weight.device)).t()
    return by_distance_HR.unfold(-1, longest, 1).flip(1)
