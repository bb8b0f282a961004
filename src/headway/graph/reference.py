"""The same models once more in plain NumPy, to check a graph against where there is no torch. Slow, short, and float64 inside."""

import math
from collections.abc import Callable

import numpy as np

from headway.architecture import Architecture, Layer, MaskedLanguageModelHead, SequenceClassificationHead
from headway.architecture.parts import Activation
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
        encoder, head = self.architecture.encoder, self.architecture.head
        ids, types = np.array(text.ids), np.zeros(len(text), np.int64) if text.type_ids is None else np.array(text.type_ids)
        table = self.weights["embeddings.token.weight"]
        states = table[ids] + self.weights["embeddings.token_type.weight"][types]
        states = states + self.weights["embeddings.position.weight"][: len(text)]
        states = self._norm(states.astype(np.float64), "embeddings.norm", encoder.embeddings.norm.eps)
        for index, layer in enumerate(encoder.layers):
            states = self._layer(layer, states, f"layers.{index}")
        match head:
            case SequenceClassificationHead():
                return {"logits": self._linear(self._pooled(states), "head.classifier")}
            case MaskedLanguageModelHead():
                changed = ACTIVATIONS[head.transform.activation](self._linear(states, "head.dense"))
                return {
                    "logits": self._norm(changed, "head.norm", head.transform.norm.eps) @ table.T
                    + self.weights["head.decoder.bias"]
                }
            case _:
                pooled = {} if self.architecture.pooler is None else {"pooler_output": self._pooled(states)}
                return {"last_hidden_state": states, **pooled}

    def _layer(self, layer: Layer, states: np.ndarray, name: str) -> np.ndarray:
        mixed = self._linear(self._attention(layer, states, f"{name}.attention.qkv"), f"{name}.attention.out")
        states = self._norm(states + mixed, f"{name}.attention_norm", layer.attention_norm.eps)
        raised = ACTIVATIONS[layer.feed_forward.activation](self._linear(states, f"{name}.feed_forward.up"))
        return self._norm(
            states + self._linear(raised, f"{name}.feed_forward.down"), f"{name}.feed_forward_norm", layer.feed_forward_norm.eps
        )

    def _attention(self, layer: Layer, states: np.ndarray, name: str) -> np.ndarray:
        tokens, hidden = states.shape
        heads = self._linear(states, name).reshape(tokens, 3, layer.attention.num_heads, -1)
        queries, keys, values = heads.transpose(1, 2, 0, 3)
        scores = queries @ keys.transpose(0, 2, 1) / math.sqrt(queries.shape[-1])
        chances = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (chances / chances.sum(axis=-1, keepdims=True)) @ values
        return np.asarray(mixed.transpose(1, 0, 2).reshape(tokens, hidden))

    def _pooled(self, states: np.ndarray) -> np.ndarray:
        assert self.architecture.pooler is not None
        return ACTIVATIONS[self.architecture.pooler.transform.activation](self._linear(states[0], "pooler.dense"))

    def _linear(self, states: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(states @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"])

    def _norm(self, states: np.ndarray, name: str, eps: float) -> np.ndarray:
        centred = states - states.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
        return np.asarray(scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"])
