"""Encoder layers, and what else stands between the embeddings and the heads, on packed tokens.

Shapes: T tokens, D hidden, C columns of all texts and the gaps between them.
"""

from torch import Tensor, nn

from headway.architecture import Convolution, FeedForward, Layer
from headway.neural.attention import PackedAttention, Weights
from headway.neural.context import Context
from headway.neural.dropout import FastDropout
from headway.neural.norms import ACTIVATIONS, make_norm
from headway.neural.packing import Packed, first_tokens, placed


class PositionwiseFeedForward(nn.Module):
    """Two linear maps with an activation between, the same for each token. Vaswani et al., 2017, arXiv:1706.03762, section 3.3.

    With a gate one half of what the first map gives is activated and multiplies the other. Shazeer, 2020, arXiv:2002.05202,
    section 2.
    """

    def __init__(self, parts: FeedForward, hidden_size: int) -> None:
        super().__init__()
        width = parts.intermediate_size
        self.up = nn.Linear(hidden_size, 2 * width if parts.gated else width, bias=parts.bias)
        self.down = nn.Linear(width, hidden_size, bias=parts.bias)
        self.dropout = FastDropout(parts.inner_dropout)
        self.activation = ACTIVATIONS[parts.activation]
        self.is_gated = parts.gated

    def forward(self, states_TD: Tensor) -> Tensor:
        """The transformed tokens, (tokens, hidden)."""
        wide = self.up(states_TD)
        if self.is_gated:
            first, gate = wide.chunk(2, dim=-1)
            return self.down(self.dropout(self.activation(first) * gate))
        return self.down(self.dropout(self.activation(wide)))


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each added to its input; normalised before or after.

    After is the original; before: Xiong et al., 2020, arXiv:2002.04745, section 3.
    """

    def __init__(self, parts: Layer, hidden_size: int) -> None:
        super().__init__()
        self.norm_first = parts.norm_first
        self.attention = PackedAttention(parts.attention, hidden_size)
        self.attention_norm = make_norm(parts.attention_norm, hidden_size)
        self.attention_dropout = FastDropout(parts.attention.out_dropout)
        self.feed_forward = PositionwiseFeedForward(parts.feed_forward, hidden_size)
        self.feed_forward_norm = make_norm(parts.feed_forward_norm, hidden_size)
        self.dropout = FastDropout(parts.feed_forward.dropout)

    def forward(self, states_TD: Tensor, context: Context) -> tuple[Tensor, Weights]:
        """The tokens after this layer, (tokens, hidden), and attention weights where the context wants them."""
        mixed_TD, weights = self.attention(self.attention_norm(states_TD) if self.norm_first else states_TD, context)
        states_TD = states_TD + self.attention_dropout(mixed_TD)
        if self.norm_first:
            return states_TD + self.dropout(self.feed_forward(self.feed_forward_norm(states_TD))), weights
        states_TD = self.attention_norm(states_TD)
        return self.feed_forward_norm(states_TD + self.dropout(self.feed_forward(states_TD))), weights


class EmbeddingConvolution(nn.Module):
    """A convolution over the embedded tokens of each text, added to what the first layer gives, as DeBERTa v2 has it."""

    def __init__(self, parts: Convolution, hidden_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            hidden_size, hidden_size, parts.kernel_size, padding=(parts.kernel_size - 1) // 2, groups=parts.groups
        )
        self.norm = make_norm(parts.norm, hidden_size)
        self.dropout = FastDropout(parts.dropout)
        self.activation = ACTIVATIONS[parts.activation]
        self.gap = parts.kernel_size // 2

    def forward(self, embedded_TD: Tensor, states_TD: Tensor, packed: Packed) -> Tensor:
        """The tokens after it, (tokens, hidden): one pass over all texts, with zeros between them."""
        place_T, columns = self._columns(packed)
        line_CD = embedded_TD.new_zeros(columns, embedded_TD.shape[1]).index_copy(0, place_T, embedded_TD)
        found_CD = self.conv(line_CD.t()[None])[0].t()
        return self.norm(states_TD + self.activation(self.dropout(found_CD.index_select(0, place_T))))

    def _columns(self, packed: Packed) -> tuple[Tensor, int]:
        """Each token's column on a line of all texts with gaps between, and the line's length."""
        spans = [extent + self.gap for extent in packed.extents]
        starts_B = placed(first_tokens(spans), packed.device) - packed.columns_T.index_select(0, packed.first_B)
        return packed.columns_T + starts_B.index_select(0, packed.text_numbers()), sum(spans)
