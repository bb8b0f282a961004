"""The same models once more in plain NumPy, to check a graph against where there is no torch. Slow, short, and float64 inside.

One text at a time: what differs between texts of a batch, padding and masks, is not here.
"""

import math
from collections.abc import Callable

import numpy as np

from headway.architecture import (
    Architecture,
    BucketBias,
    Convolution,
    Disentangled,
    Layer,
    MaskedLanguageModelHead,
    Norm,
    PreTrainingHead,
    QuestionAnsweringHead,
    ReplacedTokenHead,
    Rotary,
    SelfAttention,
    TokenClassificationHead,
    Transform,
)
from headway.architecture.parts import Activation
from headway.architecture.relative import table_rows
from headway.core.batching import TokenSequence
from headway.graph.precision import Weights

_erf = np.vectorize(math.erf, otypes=[np.float64])

ACTIVATIONS: dict[Activation, Callable[[np.ndarray], np.ndarray]] = {
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


class Reference:
    """A model that answers one text at a time."""

    def __init__(self, architecture: Architecture, weights: Weights) -> None:
        self.architecture = architecture
        self.weights = weights

    def run(self, text: TokenSequence) -> dict[str, np.ndarray]:
        """The outputs of one text, (tokens, …) or (…,), under the graph's names."""
        states = self._encoded(text)
        match self.architecture.head:
            case None:
                pooled = {} if self.architecture.pooler is None else {"pooler_output": self._pooled(states)}
                return {"last_hidden_state": states, **pooled}
            case TokenClassificationHead(transform=transform):
                return {"logits": self._linear(self._transform(states, "head", transform), "head.classifier")}
            case QuestionAnsweringHead(transform=transform):
                scores = self._linear(self._transform(states, "head", transform), "head.classifier")
                return {"start_logits": scores[:, 0], "end_logits": scores[:, 1]}
            case MaskedLanguageModelHead() as head:
                return {"logits": self._vocabulary_scores(states, head)}
            case PreTrainingHead() as head:
                pair = self._linear(self._pooled(states), "head.next_sentence")
                return {"prediction_logits": self._vocabulary_scores(states, head.masked_lm), head.pair_logits: pair}
            case ReplacedTokenHead() as head:
                states = states if head.first_norm is None else self._norm(states + states[0], "head.first_norm", head.first_norm)
                return {"logits": self._linear(self._transform(states, "head", head.transform), "head.classifier")[:, 0]}
            case _:
                name = "head.classifier" if "head.classifier.weight" in self.weights else "head.next_sentence"
                return {"logits": self._linear(self._pooled(states), name)}

    def _encoded(self, text: TokenSequence) -> np.ndarray:
        encoder = self.architecture.encoder
        embedded = states = self._embedded(text)
        for step, number in enumerate(encoder.steps):
            states = self._layer(encoder.layers[number], states, f"layers.{number}")
            if step == 0 and encoder.convolution is not None:
                convolved = self._convolved(embedded, encoder.convolution)
                states = self._norm(states + convolved, "convolution.norm", encoder.convolution.norm)
        return self._norm(states, "final_norm", encoder.final_norm)

    def _embedded(self, text: TokenSequence) -> np.ndarray:
        parts, ids = self.architecture.encoder.embeddings, np.array(text.ids)
        states = self.weights["embeddings.token.weight"][ids].astype(np.float64)
        if parts.token_types:
            types = np.zeros_like(ids) if text.type_ids is None else np.array(text.type_ids)
            states = states + self.weights["embeddings.token_type.weight"][types]
        if parts.positions is not None:
            padding, real = parts.positions.padding_id, ids != parts.positions.padding_id
            places = np.arange(len(ids)) if padding is None else np.cumsum(real) * real + padding
            states = states + self.weights["embeddings.position.weight"][places]
        if parts.projection is not None and parts.projection.before_norm:
            return self._norm(self._linear(states, "embeddings.projection"), "embeddings.norm", parts.norm)
        states = self._norm(states, "embeddings.norm", parts.norm)
        return states if parts.projection is None else self._linear(states, "embeddings.projection")

    def _layer(self, layer: Layer, states: np.ndarray, name: str) -> np.ndarray:
        attention_norm, last_norm = (
            (f"{name}.attention_norm", layer.attention_norm),
            (f"{name}.feed_forward_norm", layer.feed_forward_norm),
        )
        if layer.norm_first:
            states = states + self._attended(layer.attention, self._norm(states, *attention_norm), f"{name}.attention")
            return np.asarray(states + self._fed_forward(layer, self._norm(states, *last_norm), f"{name}.feed_forward"))
        states = self._norm(states + self._attended(layer.attention, states, f"{name}.attention"), *attention_norm)
        return self._norm(states + self._fed_forward(layer, states, f"{name}.feed_forward"), *last_norm)

    def _fed_forward(self, layer: Layer, states: np.ndarray, name: str) -> np.ndarray:
        raised, parts = self._linear(states, f"{name}.up"), layer.feed_forward
        opened = ACTIVATIONS[parts.activation](raised[:, : parts.intermediate_size])
        return self._linear(opened * raised[:, parts.intermediate_size :] if parts.gated else opened, f"{name}.down")

    def _attended(self, parts: SelfAttention, states: np.ndarray, name: str) -> np.ndarray:
        flat = self._linear(states, f"{name}.qkv")
        if parts.bias == "query-value":
            query, value = self.weights[f"{name}.query_bias"], self.weights[f"{name}.value_bias"]
            flat = flat + np.concatenate([query, np.zeros_like(query), value])
        queries, keys, values = flat.reshape(len(states), 3, parts.num_heads, -1).transpose(1, 2, 0, 3)
        scores = self._scores(parts, queries, keys, name)
        chances = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (chances / chances.sum(axis=-1, keepdims=True)) @ values
        return self._linear(mixed.transpose(1, 0, 2).reshape(states.shape), f"{name}.out")

    def _scores(self, parts: SelfAttention, queries: np.ndarray, keys: np.ndarray, name: str) -> np.ndarray:
        """What each query wants of each key, (heads, tokens, tokens)."""
        tokens, size = queries.shape[1:]
        distances = np.arange(tokens)[:, None] - np.arange(tokens)
        match parts.positions:
            case Rotary(theta=theta):
                scores = _turned(queries, theta) @ _turned(keys, theta).transpose(0, 2, 1) / math.sqrt(size)
            case BucketBias() as table:
                bias = self.weights["relative.weight"][table_rows(table, distances)].transpose(2, 0, 1)
                scores = queries @ keys.transpose(0, 2, 1) / math.sqrt(size) + bias
            case Disentangled() as table:
                scores = self._disentangled(table, queries, keys, table_rows(table, distances), name)
            case None:
                scores = queries @ keys.transpose(0, 2, 1) / math.sqrt(size)
        return scores if parts.window is None else np.where(np.abs(distances) <= parts.window, scores, -np.inf)

    def _disentangled(
        self, parts: Disentangled, queries: np.ndarray, keys: np.ndarray, rows: np.ndarray, name: str
    ) -> np.ndarray:
        """He et al., 2021, arXiv:2006.03654, equation 4; ``rows`` says which vector lies between a query and a key."""
        heads, _, size = queries.shape
        table = self._norm(self.weights["relative.weight"].astype(np.float64), "relative.norm", parts.norm)
        asking, keyed = (f"{name}.qkv", f"{name}.qkv") if parts.shared else (f"{name}.position_query", f"{name}.position_key")
        scores = queries @ keys.transpose(0, 2, 1)
        if "content-to-position" in parts.terms:
            vectors = self._linear(table, keyed)[:, heads * size if parts.shared else 0 :][:, : heads * size]
            scores = scores + np.einsum("hik,ijhk->hij", queries, vectors.reshape(-1, heads, size)[rows])
        if "position-to-content" in parts.terms:
            vectors = self._linear(table, asking)[:, : heads * size]
            scores = scores + np.einsum("hjk,ijhk->hij", keys, vectors.reshape(-1, heads, size)[rows])
        return np.asarray(scores / math.sqrt(size * (1 + len(parts.terms))))

    def _convolved(self, states: np.ndarray, parts: Convolution) -> np.ndarray:
        kernel, edge = self.weights["convolution.conv.weight"], (parts.kernel_size - 1) // 2
        wide = np.pad(states, ((edge, edge), (0, 0)))
        read = np.stack([wide[start : start + len(states)] for start in range(parts.kernel_size)])
        grouped = read.reshape(*read.shape[:2], parts.groups, -1)
        mixed = np.einsum("ktgc,gock->tgo", grouped, kernel.reshape(parts.groups, -1, *kernel.shape[1:])).reshape(states.shape)
        return ACTIVATIONS[parts.activation](mixed + self.weights["convolution.conv.bias"])

    def _pooled(self, states: np.ndarray) -> np.ndarray:
        pooler = self.architecture.pooler
        assert pooler is not None
        return self._transform(states[0] if pooler.pooling == "first" else states.mean(axis=0), "pooler", pooler.transform)

    def _transform(self, states: np.ndarray, name: str, parts: Transform | None) -> np.ndarray:
        if parts is None:
            return states
        return self._norm(ACTIVATIONS[parts.activation](self._linear(states, f"{name}.dense")), f"{name}.norm", parts.norm)

    def _vocabulary_scores(self, states: np.ndarray, head: MaskedLanguageModelHead) -> np.ndarray:
        changed = self._transform(states, "head", head.transform)
        return np.asarray(changed @ self.weights["embeddings.token.weight"].T + self.weights.get("head.decoder.bias", 0))

    def _linear(self, states: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(states @ self.weights[f"{name}.weight"].T + self.weights.get(f"{name}.bias", 0))

    def _norm(self, states: np.ndarray, name: str, parts: Norm | None) -> np.ndarray:
        if parts is None:
            return states
        centred = states - states.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + parts.eps)
        return np.asarray(scaled * self.weights[f"{name}.weight"] + self.weights.get(f"{name}.bias", 0))


def _turned(heads: np.ndarray, theta: float) -> np.ndarray:
    """Each token's channels turned by its place: the first half with the second."""
    tokens, size = heads.shape[1:]
    angles = np.arange(tokens)[:, None] / theta ** (np.arange(0, size, 2) / size)
    turns = np.exp(1j * angles) * (heads[..., : size // 2] + 1j * heads[..., size // 2 :])
    return np.concatenate([turns.real, turns.imag], axis=-1)
