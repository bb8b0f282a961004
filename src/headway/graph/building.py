"""An architecture and its weights to an ONNX model, with no tracing and no torch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import headway
from headway.architecture import Architecture, weight_shapes
from headway.core.batching import TokenSequence
from headway.errors import ConfigError, EngineError, WeightError
from headway.graph.calibration import measure_readings, random_sequences
from headway.graph.folding import folded
from headway.graph.heads import write_graph
from headway.graph.integers import Int8, PortableInt8
from headway.graph.names import PRECISION
from headway.graph.precision import Float32, Precision, Weights
from headway.graph.quantised import Reading, weight_limit

if TYPE_CHECKING:
    import onnx

PrecisionName: TypeAlias = Literal["fp32", "int8"]
PRECISIONS: tuple[PrecisionName, ...] = ("fp32", "int8")
LARGEST = 2**31 - 2**24
"""Bytes of weights that an ONNX file holds; it is one protobuf message, and that counts its bytes in 31 bits."""


def build_graph(
    architecture: Architecture,
    weights: Weights,
    *,
    precision: str = "fp32",
    calibration: Sequence[TokenSequence] = (),
    reduce_range: bool = False,
    portable: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> "onnx.ModelProto":
    """The model as an ONNX graph, ready to run.

    Inputs are ``input_ids``, ``attention_mask`` and ``token_type_ids``, int64 (batch, sequence). Outputs are ``logits``, or for a
    model without a head ``last_hidden_state`` and, where there is a pooler, ``pooler_output``.

    INT8 measures what its integers have to span on ``calibration`` and on texts of random tokens, on these alone where it is
    empty. ``reduce_range`` keeps the weights to 7 bits, for other runtimes on x86 processors without VNNI, whose sums of 8-bit
    products overflow; ``Session`` needs it nowhere. A weight that is missing or misshapen is a ``WeightError``.
    """
    check_weights(architecture, weights)
    notes = {"headway.version": headway.__version__, PRECISION: precision, **(metadata or {})}
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}, but a graph is written in {' or '.join(PRECISIONS)}. Choose one of them.")
    weights = folded(architecture, weights)
    how: Precision = Float32(weights)
    if precision == "int8":
        readings = _readings(architecture, weights, calibration)
        how = (PortableInt8 if portable else Int8)(weights, readings, limit=weight_limit(reduce_range=reduce_range))
    return write_graph(architecture, weights, precision=how, metadata=notes, portable=portable)


def _readings(architecture: Architecture, weights: Weights, calibration: Sequence[TokenSequence]) -> Mapping[str, Reading]:
    texts = [*calibration, *random_sequences(architecture)]
    return measure_readings(architecture, weights, sequences=texts)


def check_weights(architecture: Architecture, weights: Weights) -> None:
    """Refuse weights that are missing or misshapen, or too many for a file."""
    for name, shape in weight_shapes(architecture).items():
        found = weights[name].shape if name in weights else None
        if found != shape:
            trouble = "is missing" if found is None else f"has the shape {found}"
            raise WeightError(
                f"{name} {trouble}, but this architecture needs it with the shape {shape}. "
                "Load the weights with headway.checkpoints.load_checkpoint and this architecture's head."
            )
    if (size := sum(array.nbytes for array in weights.values())) > LARGEST:
        raise EngineError(
            f"The weights are {size / 1e9:.1f} GB in fp32, more than the 2 GB that one ONNX file holds, and INT8 is measured "
            "against fp32. Use engine='torch' for this model."
        )
