"""The whole graph: encoder, pooler and head, with inputs and outputs under the names that everybody uses."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import onnx

from headway.architecture import Architecture, MaskedLanguageModelHead, SequenceClassificationHead
from headway.graph.layers import LayerWriter
from headway.graph.precision import Precision, Weights
from headway.graph.writer import Dimensions, GraphWriter

IDS, MASK, TYPES = INPUTS = ("input_ids", "attention_mask", "token_type_ids")
BATCH, SEQUENCE = "batch", "sequence"


def write_graph(
    architecture: Architecture,
    weights: Weights,
    *,
    precision: Precision,
    metadata: Mapping[str, str] = MappingProxyType({}),
    also: Callable[[], Iterable[str]] = tuple,
) -> onnx.ModelProto:
    """The graph with its outputs; ``also``, called when all is written, names inner values to put out beside them."""
    writer = GraphWriter()
    outputs = _outputs(LayerWriter(writer, weights, precision), architecture)
    return writer.model(
        inputs=dict.fromkeys(INPUTS, (BATCH, SEQUENCE)), outputs=outputs | dict.fromkeys(also()), metadata=metadata
    )


def _outputs(layers: LayerWriter, architecture: Architecture) -> dict[str, Dimensions | None]:
    """Write everything; the outputs' names and dimensions."""
    head, hidden = architecture.head, architecture.encoder.hidden_size
    first_only = isinstance(head, SequenceClassificationHead)
    states = layers.encoder(architecture.encoder, ids=IDS, mask=MASK, types=TYPES, first_only=first_only)
    match head:
        case SequenceClassificationHead():
            layers.dense(_pooled(layers, architecture, states), "head.classifier", output="logits")
            return {"logits": (BATCH, head.num_labels)}
        case MaskedLanguageModelHead():
            _token_scores(layers, head, states)
            return {"logits": (BATCH, SEQUENCE, head.vocab_size)}
        case _:
            layers.writer.node("Identity", states, output="last_hidden_state")
            if architecture.pooler is None:
                return {"last_hidden_state": (BATCH, SEQUENCE, hidden)}
            _pooled(layers, architecture, layers.first(states), output="pooler_output")
            return {"last_hidden_state": (BATCH, SEQUENCE, hidden), "pooler_output": (BATCH, hidden)}


def _pooled(layers: LayerWriter, architecture: Architecture, first: str, *, output: str | None = None) -> str:
    """The pooler's vectors, (batch, hidden), from the first tokens' states, (batch, 1, hidden)."""
    assert architecture.pooler is not None  # a family gives each head the pooler that it reads
    row = layers.writer.node("Squeeze", first, layers.writer.integers(1))
    return layers.activation(layers.dense(row, "pooler.dense"), architecture.pooler.transform.activation, output=output)


def _token_scores(layers: LayerWriter, head: MaskedLanguageModelHead, states: str) -> None:
    """Each token's score for every entry of the vocabulary; the last matrix is the token table."""
    writer = layers.writer
    changed = layers.activation(layers.linear(states, "head.dense"), head.transform.activation)
    changed = layers.norm(changed, "head.norm", eps=head.transform.norm.eps)
    rows = writer.node("Reshape", changed, writer.integers(-1, layers.weights["head.dense.weight"].shape[0]))
    scores = layers.precision.scores(writer, rows, table="embeddings.token", bias="head.decoder.bias")
    shape = writer.node("Concat", writer.node("Shape", IDS), writer.integers(head.vocab_size), axis=0)
    writer.node("Reshape", scores, shape, output="logits")
