"""Weights as graphs hold them: what depends on weights alone is computed here, once, and not whenever the model runs."""

import numpy as np

from headway.architecture import Architecture, Disentangled, SelfAttention
from headway.graph.precision import Weights
from headway.graph.relative import term_count


def folded(architecture: Architecture, weights: Weights) -> dict[str, np.ndarray]:
    """The weights, and with them: each attention's whole bias, and each layer's vectors of relative positions."""
    found = dict(weights)
    for index, layer in enumerate(architecture.encoder.layers):
        name = f"layers.{index}.attention"
        if layer.attention.bias == "query-value":
            found[f"{name}.qkv.bias"] = _whole_bias(weights, name)
        if isinstance(layer.attention.positions, Disentangled):
            found |= _position_vectors(layer.attention, layer.attention.positions, found, name)
    return found


def _whole_bias(weights: Weights, name: str) -> np.ndarray:
    """Queries' and values' biases with zeros for the keys between them."""
    query, value = weights[f"{name}.query_bias"], weights[f"{name}.value_bias"]
    return np.concatenate([query, np.zeros_like(query), value])


def _position_vectors(attention: SelfAttention, positions: Disentangled, weights: Weights, name: str) -> dict[str, np.ndarray]:
    """The table through the layer's maps, (2 * span, hidden); as queries with the scale that all scores have."""
    table, found = _normed_table(positions, weights), {}
    hidden = table.shape[1]
    if "content-to-position" in positions.terms:
        matrix, bias = _map(positions, weights, name, "position_key", slice(hidden, 2 * hidden))
        found[f"{name}.position_keys.weight"] = table @ matrix.T + bias
    if "position-to-content" in positions.terms:
        matrix, bias = _map(positions, weights, name, "position_query", slice(hidden))
        scale = np.float32((hidden // attention.num_heads * term_count(attention)) ** -0.5)
        found[f"{name}.position_queries.weight"] = (table @ matrix.T + bias) * scale
    return found


def _map(positions: Disentangled, weights: Weights, name: str, own: str, part: slice) -> tuple[np.ndarray, np.ndarray | float]:
    """The matrix and the bias that project the table: the layer's own for queries or keys, or those for positions."""
    module, chosen = (f"{name}.qkv", part) if positions.shared else (f"{name}.{own}", slice(None))
    bias = weights.get(f"{module}.bias")
    return weights[f"{module}.weight"][chosen], 0.0 if bias is None else bias[chosen]


def _normed_table(positions: Disentangled, weights: Weights) -> np.ndarray:
    table = weights["relative.weight"]
    if positions.norm is None:
        return table
    centred = table - table.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(positions.norm.eps))
    shift = weights["relative.norm.bias"] if positions.norm.bias else np.float32(0)
    return np.asarray(scaled * weights["relative.norm.weight"] + shift)
