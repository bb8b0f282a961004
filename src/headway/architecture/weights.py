"""Which weights an architecture has, under which of our names, in which shapes: the reference for loading, modules and graphs."""

from typing import TypeAlias

from headway.architecture.parts import (
    Architecture,
    BucketBias,
    Convolution,
    Disentangled,
    Embeddings,
    Encoder,
    FeedForward,
    Head,
    Layer,
    MaskedLanguageModelHead,
    MultipleChoiceHead,
    NextSentenceHead,
    Norm,
    PreTrainingHead,
    QuestionAnsweringHead,
    ReplacedTokenHead,
    SelfAttention,
    SequenceClassificationHead,
    TokenClassificationHead,
    Transform,
)

Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = dict[str, Shape]


def weight_shapes(architecture: Architecture) -> Shapes:
    """Every weight's name and shape; linear weights are (out, in).

    The masked LM's output matrix is the token embedding, and so not listed twice; nor is a layer that several steps share.
    """
    hidden = architecture.encoder.hidden_size
    shapes = _encoder(architecture.encoder)
    if architecture.pooler is not None:
        shapes |= _transform("pooler", architecture.pooler.transform, hidden)
    if architecture.head is not None:
        shapes |= _head(architecture.head, hidden)
    return shapes


def _encoder(encoder: Encoder) -> Shapes:
    hidden = encoder.hidden_size
    shapes = _embeddings(encoder.embeddings, hidden) | _table(encoder)
    for index, layer in enumerate(encoder.layers):
        shapes |= _layer(f"layers.{index}", layer, hidden)
    if encoder.convolution is not None:
        shapes |= _convolution(encoder.convolution, hidden)
    return shapes | _norm("final_norm", encoder.final_norm, hidden)


def _embeddings(parts: Embeddings, hidden: int) -> Shapes:
    shapes: Shapes = {"embeddings.token.weight": (parts.vocab_size, parts.size)}
    if parts.positions is not None:
        shapes["embeddings.position.weight"] = (parts.positions.count, parts.size)
    if parts.token_types:
        shapes["embeddings.token_type.weight"] = (parts.token_types, parts.size)
    projection = parts.projection
    if projection is not None:
        shapes |= _linear("embeddings.projection", hidden, parts.size, bias=projection.bias)
    normed = hidden if projection is None or projection.before_norm else parts.size
    return shapes | _norm("embeddings.norm", parts.norm, normed)


def _table(encoder: Encoder) -> Shapes:
    match encoder.table:
        case BucketBias(buckets=buckets):
            return {"relative.weight": (buckets, encoder.layers[0].attention.num_heads)}
        case Disentangled(span=span, norm=norm):
            return {"relative.weight": (2 * span, encoder.hidden_size)} | _norm("relative.norm", norm, encoder.hidden_size)
        case None:
            return {}


def _layer(name: str, layer: Layer, hidden: int) -> Shapes:
    shapes = _attention(f"{name}.attention", layer.attention, hidden)
    shapes |= _norm(f"{name}.attention_norm", layer.attention_norm, hidden)
    shapes |= _feed_forward(f"{name}.feed_forward", layer.feed_forward, hidden)
    return shapes | _norm(f"{name}.feed_forward_norm", layer.feed_forward_norm, hidden)


def _attention(name: str, parts: SelfAttention, hidden: int) -> Shapes:
    shapes = _linear(f"{name}.qkv", 3 * hidden, hidden, bias=parts.bias == "all")
    if parts.bias == "query-value":
        shapes |= {f"{name}.query_bias": (hidden,), f"{name}.value_bias": (hidden,)}
    if isinstance(parts.positions, Disentangled) and not parts.positions.shared:
        shapes |= _position_maps(name, parts.positions, hidden)
    return shapes | _linear(f"{name}.out", hidden, hidden, bias=parts.out_bias)


def _position_maps(name: str, positions: Disentangled, hidden: int) -> Shapes:
    shapes: Shapes = {}
    if "content-to-position" in positions.terms:
        shapes |= _linear(f"{name}.position_key", hidden, hidden, bias=positions.key_bias)
    if "position-to-content" in positions.terms:
        shapes |= _linear(f"{name}.position_query", hidden, hidden)
    return shapes


def _feed_forward(name: str, parts: FeedForward, hidden: int) -> Shapes:
    width = parts.intermediate_size
    up = _linear(f"{name}.up", 2 * width if parts.gated else width, hidden, bias=parts.bias)
    return up | _linear(f"{name}.down", hidden, width, bias=parts.bias)


def _convolution(parts: Convolution, hidden: int) -> Shapes:
    shapes = {"convolution.conv.weight": (hidden, hidden // parts.groups, parts.kernel_size), "convolution.conv.bias": (hidden,)}
    return shapes | _norm("convolution.norm", parts.norm, hidden)


def _head(head: Head, hidden: int) -> Shapes:
    match head:
        case SequenceClassificationHead():
            return _linear("head.classifier", head.num_labels, hidden, bias=head.bias)
        case TokenClassificationHead() | QuestionAnsweringHead():
            labels = head.num_labels if isinstance(head, TokenClassificationHead) else 2
            changed = {} if head.transform is None else _transform("head", head.transform, hidden)
            width = hidden if head.transform is None else head.transform.size
            return changed | _linear("head.classifier", labels, width, bias=head.bias)
        case MaskedLanguageModelHead():
            return _transform("head", head.transform, hidden) | ({"head.decoder.bias": (head.vocab_size,)} if head.bias else {})
        case NextSentenceHead():
            return _linear("head.next_sentence", 2, hidden)
        case PreTrainingHead():
            return _head(head.masked_lm, hidden) | _head(head.next_sentence, hidden)
        case MultipleChoiceHead():
            return _linear("head.classifier", 1, hidden)
        case ReplacedTokenHead():
            changed = _norm("head.first_norm", head.first_norm, hidden) | _transform("head", head.transform, hidden)
            return changed | _linear("head.classifier", 1, head.transform.size)


def _transform(name: str, parts: Transform, hidden: int) -> Shapes:
    return _linear(f"{name}.dense", parts.size, hidden, bias=parts.bias) | _norm(f"{name}.norm", parts.norm, parts.size)


def _linear(name: str, out_size: int, in_size: int, *, bias: bool = True) -> Shapes:
    return {f"{name}.weight": (out_size, in_size)} | ({f"{name}.bias": (out_size,)} if bias else {})


def _norm(name: str, parts: Norm | None, size: int) -> Shapes:
    if parts is None:
        return {}
    shapes: Shapes = {f"{name}.weight": (size,)}
    return shapes | ({f"{name}.bias": (size,)} if parts.bias else {})
