"""Token ids to the vectors that the first layer reads."""

from onnx import TensorProto

from headway.architecture import Embeddings, Positions
from headway.graph.inputs import Inputs
from headway.graph.parts import PartWriter


def write_embeddings(parts: PartWriter, embeddings: Embeddings, inputs: Inputs) -> str:
    """The sum of token, position and token-type vectors, normalised and brought to the encoder's width."""
    write, projection = parts.writer.node, embeddings.projection
    states = parts.precision.rows(parts.writer, "embeddings.token", ids=inputs.ids)
    if embeddings.token_types:
        states = write("Add", states, write("Gather", parts.constant("embeddings.token_type.weight"), inputs.types))
    if embeddings.positions is not None:
        states = write("Add", states, _positions(parts, embeddings.positions, inputs))
    if projection is not None and projection.before_norm:
        states = _projected(parts, states, inputs)
    states = parts.norm(states, "embeddings.norm", embeddings.norm)
    if projection is not None and not projection.before_norm:
        states = _projected(parts, states, inputs)
    return states


def _projected(parts: PartWriter, states: str, inputs: Inputs) -> str:
    """The states in the encoder's width, in fp32: it is a small map, and all that follows rests on it.

    Row by row, because OpenVINO 2026.4 is wrong about a product of (batch, sequence, channels) whose result is rounded for one
    reader, after a multiplication, and read by another as it is.
    """
    write, (hidden, size) = parts.writer.node, parts.weights["embeddings.projection.weight"].shape
    rows = write("Reshape", states, parts.writer.integers(-1, size))
    shape = write("Concat", write("Shape", inputs.ids), parts.writer.integers(hidden), axis=0)
    return write("Reshape", parts.dense(rows, "embeddings.projection"), shape)


def _positions(parts: PartWriter, positions: Positions, inputs: Inputs) -> str:
    """The vectors of absolute positions: of the columns, or of tokens counted without padding ids."""
    if positions.padding_id is None:
        return parts.precision.first_rows(parts.writer, "embeddings.position", count=inputs.length)
    write, padding = parts.writer.node, parts.writer.integer(positions.padding_id)
    real = write("Cast", write("Not", write("Equal", inputs.ids, padding)), to=TensorProto.INT64)
    counted = write("Mul", write("CumSum", real, parts.writer.integer(1)), real)
    return parts.precision.rows(parts.writer, "embeddings.position", ids=write("Add", counted, padding))
