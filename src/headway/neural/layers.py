"""The bricks of every encoder, on packed tokens.

Shapes: T tokens of all texts, D hidden, H heads, K head size, N texts of a group, L their length.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headway.architecture import Activation, Embeddings, FeedForward, Layer, SelfAttention
from headway.neural.packing import Group, Packed

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": lambda states: F.gelu(states, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}


class TokenEmbeddings(nn.Module):
    """The normalised sum of token, position and token-type vectors."""

    def __init__(self, parts: Embeddings, hidden_size: int) -> None:
        super().__init__()
        self.token = nn.Embedding(parts.vocab_size, hidden_size, padding_idx=parts.padding_id)
        assert parts.positions is not None
        self.position = nn.Embedding(parts.positions.count, hidden_size)
        self.token_type = nn.Embedding(parts.token_types, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=parts.norm.eps)
        self.dropout = nn.Dropout(parts.dropout)

    def forward(self, packed: Packed) -> Tensor:
        """One vector a token, (tokens, hidden)."""
        states_TD = self.token(packed.ids_T) + self.position(packed.positions_T) + self.token_type(packed.type_ids_T)
        return self.dropout(self.norm(states_TD))


class PackedAttention(nn.Module):
    """Scaled dot-product attention of each token to the tokens of its own text (Vaswani et al., 2017, section 3.2)."""

    def __init__(self, parts: SelfAttention, hidden_size: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)
        self.num_heads = parts.num_heads
        self.dropout_rate = parts.dropout

    def forward(self, states_TD: Tensor, packed: Packed) -> Tensor:
        """Each token's mixture of its text's values, (tokens, hidden)."""
        qkv_TE = self.qkv(states_TD)
        return self.out(torch.cat([self._group(qkv_TE, group) for group in packed.groups]))

    def _group(self, qkv_TE: Tensor, group: Group) -> Tensor:
        rows = qkv_TE[group.start : group.stop] if group.place is None else qkv_TE[group.place]
        q_NHLK, k_NHLK, v_NHLK = rows.view(group.texts, group.length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        mask = None if group.keep is None else group.keep[:, None, None, :]
        mixed_NHLK = attend(q_NHLK, k_NHLK, v_NHLK, mask=mask, dropout=self.dropout_rate if self.training else 0.0)
        mixed = mixed_NHLK.transpose(1, 2).reshape(group.texts * group.length, -1)
        return mixed if group.keep is None else mixed[group.keep.flatten()]


def attend(q_NHLK: Tensor, k_NHLK: Tensor, v_NHLK: Tensor, *, mask: Tensor | None, dropout: float) -> Tensor:
    """softmax(QK^T / sqrt(K)) V; ``mask`` is True where a key may be seen.

    Torch's fused kernel everywhere but in bf16 training on a CPU, where its backward pass is slower than that of plain products.
    """
    if q_NHLK.device.type != "cpu" or q_NHLK.dtype == torch.float32 or not torch.is_grad_enabled():
        return F.scaled_dot_product_attention(q_NHLK, k_NHLK, v_NHLK, attn_mask=mask, dropout_p=dropout)
    scores_NHLL = torch.matmul(q_NHLK * q_NHLK.shape[-1] ** -0.5, k_NHLK.transpose(-1, -2))
    if mask is not None:
        scores_NHLL = scores_NHLL.masked_fill(~mask, -torch.inf)
    return torch.matmul(F.dropout(scores_NHLL.softmax(-1), dropout), v_NHLK)


class PositionwiseFeedForward(nn.Module):
    """Two linear maps with an activation between, the same for each token."""

    def __init__(self, parts: FeedForward, hidden_size: int) -> None:
        super().__init__()
        self.up = nn.Linear(hidden_size, parts.intermediate_size)
        self.down = nn.Linear(parts.intermediate_size, hidden_size)
        self.activation = ACTIVATIONS[parts.activation]

    def forward(self, states_TD: Tensor) -> Tensor:
        """The transformed tokens, (tokens, hidden)."""
        return self.down(self.activation(self.up(states_TD)))


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each added to its input and normalised."""

    def __init__(self, parts: Layer, hidden_size: int) -> None:
        super().__init__()
        self.attention = PackedAttention(parts.attention, hidden_size)
        assert parts.attention_norm is not None
        self.attention_norm = nn.LayerNorm(hidden_size, eps=parts.attention_norm.eps)
        self.feed_forward = PositionwiseFeedForward(parts.feed_forward, hidden_size)
        self.feed_forward_norm = nn.LayerNorm(hidden_size, eps=parts.feed_forward_norm.eps)
        self.dropout = nn.Dropout(parts.feed_forward.dropout)

    def forward(self, states_TD: Tensor, packed: Packed) -> Tensor:
        """The tokens after this layer, (tokens, hidden)."""
        states_TD = self.attention_norm(states_TD + self.dropout(self.attention(states_TD, packed)))
        return self.feed_forward_norm(states_TD + self.dropout(self.feed_forward(states_TD)))
