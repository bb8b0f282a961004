"""The parts of an encoder as frozen dataclasses.

A family's file makes them from ``config.json``; ``neural`` and ``graph`` realise them. What a family does not have is None, zero
or False here, so that the realisations ask for a property and never for a family's name.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Activation: TypeAlias = Literal["gelu", "gelu_tanh", "relu", "silu", "tanh"]
Pooling: TypeAlias = Literal["first", "mean"]
AttentionBias: TypeAlias = Literal["all", "none", "query-value"]
PairLogits: TypeAlias = Literal["seq_relationship_logits", "sop_logits"]
PositionTerm: TypeAlias = Literal["content-to-position", "position-to-content"]


@dataclass(frozen=True, kw_only=True)
class Norm:
    """Layer normalisation (Ba et al., 2016, arXiv:1607.06450), with a shift or without one."""

    eps: float
    bias: bool = True


@dataclass(frozen=True, kw_only=True)
class Positions:
    """A learned vector for each absolute position.

    Where ``padding_id`` is None, positions are the columns from 0 on. Otherwise only other tokens are counted, from
    ``padding_id + 1`` on, and a padding token has the position ``padding_id`` (Liu et al., 2019, as fairseq does it).
    """

    count: int
    padding_id: int | None = None

    @property
    def longest_text(self) -> int:
        """The most tokens that a text can have."""
        return self.count if self.padding_id is None else self.count - self.padding_id - 1


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Token vectors of one width to the encoder's width, before the normalisation or after it and its dropout."""

    bias: bool
    before_norm: bool


@dataclass(frozen=True, kw_only=True)
class Embeddings:
    """The sum of token, position and token-type vectors of ``size``, normalised, and as wide as the encoder in the end.

    There is a projection wherever ``size`` is not the encoder's width; a family may have one between equal widths too.
    """

    vocab_size: int
    size: int
    token_types: int
    positions: Positions | None
    norm: Norm
    dropout: float
    padding_id: int | None
    projection: Projection | None = None


@dataclass(frozen=True, kw_only=True)
class Rotary:
    """Queries and keys turned by angles that grow with the position (Su et al., 2021, arXiv:2104.09864).

    The first half of a head's channels turns with the second half.
    """

    theta: float


@dataclass(frozen=True, kw_only=True)
class BucketBias:
    """A learned number for each head and each bucket of distances, added to the scores (Raffel et al., 2020, section 2.1).

    Half of the buckets is for keys after the query. Half of each half counts distances one by one; the rest grow
    logarithmically up to ``max_distance``. One table serves all layers.
    """

    buckets: int
    max_distance: int


@dataclass(frozen=True, kw_only=True)
class Disentangled:
    """Scores between content and relative positions (He et al., 2021, arXiv:2006.03654, section 3.1).

    One table of ``2 * span`` vectors serves all layers. For query i and key j the row is ``span + b(i - j)``, clamped to the
    table, where b is the identity, or with ``max_distance`` the logarithmic buckets of DeBERTa v2: distances up to ``span // 2``
    one by one, then growing up to ``max_distance``. All scores are divided by sqrt(head size * (1 + number of terms)).

    With ``shared`` the layer's own query and key maps project the table (biases included); otherwise maps of their own do:
    ``position_key`` for content-to-position, with a bias if ``key_bias``, and ``position_query``, with one, for the other.
    """

    span: int
    max_distance: int | None
    terms: tuple[PositionTerm, ...]
    shared: bool
    key_bias: bool
    norm: Norm | None
    dropout: float


RelativePositions: TypeAlias = Rotary | BucketBias | Disentangled


@dataclass(frozen=True, kw_only=True)
class SelfAttention:
    """Scaled dot-product attention of every token to the tokens of its own text (Vaswani et al., 2017, section 3.2).

    With ``window`` a token sees those at most ``window`` places away. ``bias`` says which of the query, key and value maps have
    one, ``out_bias`` whether the output map has one. ``dropout`` is that of the weights, ``out_dropout`` that of the result.
    """

    num_heads: int
    dropout: float
    out_dropout: float
    bias: AttentionBias = "all"
    out_bias: bool = True
    window: int | None = None
    positions: RelativePositions | None = None


@dataclass(frozen=True, kw_only=True)
class FeedForward:
    """Two linear maps with an activation between: ``down(act(up(x)))``.

    ``gated``: the first map is twice as wide, and the activated first half is multiplied by the second (Shazeer, 2020,
    arXiv:2002.05202). ``inner_dropout`` stands before the second map, ``dropout`` after it.
    """

    intermediate_size: int
    activation: Activation
    dropout: float
    gated: bool = False
    bias: bool = True
    inner_dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One encoder layer: attention and feed-forward, each added to its input.

    With ``norm_first`` each reads its normalised input (and attention the input itself where ``attention_norm`` is None);
    otherwise each sum is normalised (Xiong et al., 2020, arXiv:2002.04745, compares the two).
    """

    attention: SelfAttention
    attention_norm: Norm | None
    feed_forward: FeedForward
    feed_forward_norm: Norm
    norm_first: bool = False


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution over the embedded tokens, added to what the first layer gives and normalised (DeBERTa v2).

    ``norm(first_layer(x) + act(dropout(conv(x))))``; beyond the ends of a text there are zeros.
    """

    kernel_size: int
    groups: int
    activation: Activation
    norm: Norm
    dropout: float


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Token ids to one vector a token.

    ``max_tokens`` is the length of the longest text: what the position vectors allow, or else what the model was made for.
    ``order`` says which layer's weights each step uses, so that layers may be shared (Lan et al., 2020, arXiv:1909.11942); None
    is each layer once.
    """

    hidden_size: int
    max_tokens: int
    embeddings: Embeddings
    layers: tuple[Layer, ...]
    order: tuple[int, ...] | None = None
    final_norm: Norm | None = None
    convolution: Convolution | None = None

    @property
    def steps(self) -> tuple[int, ...]:
        """The number of the layer at each step."""
        return tuple(range(len(self.layers))) if self.order is None else self.order

    @property
    def table(self) -> BucketBias | Disentangled | None:
        """The relative positions whose table all layers share; None where there is no table."""
        found = self.layers[0].attention.positions if self.layers else None
        return found if isinstance(found, BucketBias | Disentangled) else None


@dataclass(frozen=True, kw_only=True)
class Transform:
    """A linear map to ``size`` channels, an activation and, where there is one, a normalisation."""

    size: int
    activation: Activation
    bias: bool = True
    norm: Norm | None = None


@dataclass(frozen=True, kw_only=True)
class Pooler:
    """One vector a text: the first token's or the mean of all, after ``dropout`` through a transform as wide as the encoder."""

    transform: Transform
    pooling: Pooling = "first"
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SequenceClassificationHead:
    """One score a label from the pooled vector."""

    num_labels: int
    dropout: float
    bias: bool = True


@dataclass(frozen=True, kw_only=True)
class TokenClassificationHead:
    """One score a label for each token."""

    num_labels: int
    dropout: float
    transform: Transform | None = None
    bias: bool = True


@dataclass(frozen=True, kw_only=True)
class QuestionAnsweringHead:
    """For each token a score as the answer's first and one as its last (Devlin et al., 2019, section 4.2)."""

    dropout: float
    transform: Transform | None = None
    bias: bool = True


@dataclass(frozen=True, kw_only=True)
class MaskedLanguageModelHead:
    """One score a vocabulary entry for each token; the last matrix is the token embedding's."""

    vocab_size: int
    transform: Transform
    bias: bool = True


@dataclass(frozen=True, kw_only=True)
class NextSentenceHead:
    """Two scores from the pooled vector: the second text follows the first, or it does not."""

    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PreTrainingHead:
    """A masked language model and a judgement of the pair of texts, learnt together (Devlin et al., 2019, section 3.1).

    ``pair_logits`` is what transformers calls the judgement: whether the second text follows the first (BERT), or whether the two
    are in order (Lan et al., 2020, arXiv:1909.11942, section 3.1).
    """

    masked_lm: MaskedLanguageModelHead
    next_sentence: NextSentenceHead
    pair_logits: PairLogits = "seq_relationship_logits"


@dataclass(frozen=True, kw_only=True)
class MultipleChoiceHead:
    """One score a text from the pooled vector; the choices of a question compete."""

    dropout: float


@dataclass(frozen=True, kw_only=True)
class ReplacedTokenHead:
    """One score a token: above zero where it was replaced (Clark et al., 2020, arXiv:2003.10555).

    With ``first_norm`` each token's vector is added to the first token's and normalised beforehand, as DeBERTa v3 does.
    """

    transform: Transform
    first_norm: Norm | None = None


TextHead: TypeAlias = SequenceClassificationHead | NextSentenceHead | MultipleChoiceHead
"""Heads that read the pooled vector alone."""

TokenHead: TypeAlias = TokenClassificationHead | QuestionAnsweringHead | MaskedLanguageModelHead | ReplacedTokenHead
"""Heads that read each token's vector."""

Head: TypeAlias = TextHead | TokenHead | PreTrainingHead


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A whole model: an encoder, a pooler where the head or the base model has one, and at most one head."""

    encoder: Encoder
    pooler: Pooler | None = None
    head: Head | None = None
