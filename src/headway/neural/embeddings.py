"""From token ids to the vectors that the first layer reads.

Shapes: T tokens, B texts, S sequence, E width of token vectors, D hidden.
"""

import torch
from torch import Tensor, nn

from headway.architecture import Embeddings, Positions
from headway.neural.dropout import FastDropout
from headway.neural.norms import make_norm
from headway.neural.packing import Packed


class TokenEmbeddings(nn.Module):
    """The normalised sum of token, position and token-type vectors, projected to the encoder's width where it differs."""

    def __init__(self, parts: Embeddings, hidden_size: int) -> None:
        super().__init__()
        self.parts = parts
        self.token = nn.Embedding(parts.vocab_size, parts.size, padding_idx=parts.padding_id)
        positions = parts.positions
        if positions is not None:
            # the vector of padding is never learnt, as with RoBERTa's
            self.position = nn.Embedding(positions.count, parts.size, padding_idx=positions.padding_id)
        if parts.token_types:
            self.token_type = nn.Embedding(parts.token_types, parts.size)
        projects_first = parts.projection is not None and parts.projection.before_norm
        self.norm = make_norm(parts.norm, hidden_size if projects_first else parts.size)
        if parts.projection is not None:
            self.projection = nn.Linear(parts.size, hidden_size, bias=parts.projection.bias)
        self.dropout = FastDropout(parts.dropout)

    def forward(self, packed: Packed) -> Tensor:
        """One vector a token, (tokens, hidden)."""
        states_TE = self.token(packed.ids_T) if packed.vectors_TE is None else packed.vectors_TE
        if self.parts.positions is not None:
            states_TE = states_TE + self.position(position_ids(self.parts.positions, packed))
        if self.parts.token_types:
            states_TE = states_TE + self.token_type(packed.type_ids_T)
        if self.parts.projection is None:
            return self.dropout(self.norm(states_TE))
        if self.parts.projection.before_norm:
            return self.dropout(self.norm(self.projection(states_TE)))
        return self.projection(self.dropout(self.norm(states_TE)))


def position_ids(positions: Positions, packed: Packed) -> Tensor:
    """Which position vector each packed token takes, (tokens,)."""
    if packed.position_ids_T is not None:
        return packed.position_ids_T
    if positions.padding_id is None:
        return packed.columns_T
    real_T = packed.ids_T != positions.padding_id
    count_T = real_T.long().cumsum(0)
    before_B = (count_T - real_T.long()).index_select(0, packed.first_B)
    return (count_T - before_B.index_select(0, packed.text_numbers())) * real_T + positions.padding_id


def counted_position_ids(ids_BS: Tensor, padding_id: int) -> Tensor:
    """The same for padded ids: tokens that are not padding count, seen or not (Liu et al., 2019, as fairseq does it)."""
    real_BS = ids_BS != padding_id
    return real_BS.long().cumsum(1) * real_BS + padding_id


def positions_by_column(positions: Positions, shape: tuple[int, int], device: torch.device) -> Tensor:
    """The same where there are vectors instead of ids, so that no padding is known: one after the other."""
    first = 0 if positions.padding_id is None else positions.padding_id + 1
    return torch.arange(first, first + shape[1], device=device).expand(shape)
