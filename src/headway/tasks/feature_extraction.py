"""Feature extraction: the model's vectors, one a token as transformers' pipeline gives them, or one a text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from headway.errors import TaskError
from headway.tasks import vectors
from headway.tasks.columns import SINGLE_TEXTS
from headway.tasks.inputs import read_text
from headway.tasks.quantised_vectors import Numbers, quantised, read_ranges
from headway.tasks.table import Column
from headway.tasks.task import Call, Encoded, ModelFacts, Outputs, Task
from headway.tasks.vectors import Embedder, Pooling, VectorOptions, prepare_embedder


@dataclass(frozen=True, kw_only=True)
class FeatureOptions(VectorOptions):
    """Which vectors to give."""

    pooling: Pooling = "none"
    """One vector a token (none), or one a text: the average of the tokens (mean), the first or last one …, or what the folder's
    sentence-transformers files say (auto)."""
    output_precision: Numbers = "float32"
    """The numbers of one vector a text: float32; whole numbers of 8 bits, between the ``ranges``; or one bit for each value that
    is above zero, eight of them in one number (binary: from -128 on, ubinary: from 0 on)."""
    ranges: Sequence[Sequence[float]] | None = None
    """The least and the largest value of each dimension, for int8 and uint8."""
    return_tensors: Literal["np", "pt"] | None = None
    """Lists of numbers, or arrays: NumPy's (np) or torch's (pt, or True)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pooling == "none" and self.output_precision != "float32":
            raise TaskError(
                f"output_precision={self.output_precision!r} is for one vector a text, but pooling='none' gives one a token. "
                "Choose pooling='mean', 'cls' or 'auto'."
            )
        read_ranges(self.ranges, self.output_precision)


@dataclass(frozen=True)
class FeatureExtractor:
    """The task made ready for one model."""

    embedder: Embedder
    options: FeatureOptions
    ranges: np.ndarray | None
    """For int8 and uint8: the least and the largest value of each dimension, (2, dimensions)."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """One vector, or one a token."""
        kind: Literal["number", "integer"] = "number" if self.options.output_precision == "float32" else "integer"
        return (Column("embedding", kind, depth=1) if self.embedder.is_pooled else Column("features", kind, depth=2),)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Texts as the model reads them, after the prompt where there is one."""
        return self.embedder.encode([read_text(item) for item in items])

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> np.ndarray:
        """(1, tokens, hidden) without pooling, as in transformers; else (hidden,)."""
        states_SD = outputs["last_hidden_state"]
        return self.embedder.pooled(states_SD, is_first=part == 0) if self.embedder.is_pooled else states_SD[None]

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> Any:
        """The features, in the numbers and the form asked for."""
        features = parts[0]
        if self.embedder.is_pooled:
            vector = self.embedder.vector(parts, [len(sequence) for sequence in encoded.sequences])
            features = quantised(vector, self.options.output_precision, ranges=self.ranges)
        match self.options.return_tensors:
            case "np":
                return features
            case "pt":
                from headway.text.tensors import as_tensor

                return as_tensor(features, "pt", name="features")
            case _:
                return features.tolist()

    def row(self, answer: Any) -> dict[str, Any]:
        """The vector, or those of the tokens."""
        return {"embedding": answer} if self.embedder.is_pooled else {"features": answer[0]}

    def present(self, answers: list[Any], call: Call) -> Any:
        """Features of the text, or a list of those."""
        return answers if call.kind == "list" else answers[0]


def prepare(facts: ModelFacts, options: FeatureOptions) -> FeatureExtractor:
    """The task for a model without a head."""
    return FeatureExtractor(prepare_embedder(facts, options), options, read_ranges(options.ranges, options.output_precision))


def translate(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options of transformers' pipeline and of sentence-transformers' ``encode`` under the names that they have here."""
    given = vectors.translate(values)
    arrays = given.get("return_tensors")
    if isinstance(arrays, bool):
        given["return_tensors"] = "pt" if arrays else None
    for name, kind in (("convert_to_numpy", "np"), ("convert_to_tensor", "pt")):
        if given.pop(name, False):
            given["return_tensors"] = kind
    if "precision" in given:
        given["output_precision"] = given.pop("precision")
    if isinstance(given.get("ranges"), np.ndarray):
        given["ranges"] = given["ranges"].tolist()
    return given


TASK = Task(
    name="feature-extraction",
    summary="the model's vectors, one a token or one a text",
    head="base",
    options=FeatureOptions,
    prepare=prepare,
    table=SINGLE_TEXTS,
    translate=translate,
)
