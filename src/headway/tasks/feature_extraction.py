"""Feature extraction: the model's vectors, one a token as transformers' pipeline gives them, or one a text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from headway.errors import TaskError
from headway.tasks.columns import SINGLE_TEXTS
from headway.tasks.inputs import read_text
from headway.tasks.limits import encode_inputs, token_limit
from headway.tasks.pooling import pool, to_unit_length
from headway.tasks.sentence_transformer import SideFiles, read_side_files
from headway.tasks.table import Column
from headway.tasks.task import Call, Encoded, ModelFacts, Outputs, Task, TaskOptions


@dataclass(frozen=True, kw_only=True)
class FeatureOptions(TaskOptions):
    """Which vectors to give."""

    pooling: Literal["none", "cls", "mean", "auto"] = "none"
    """One vector a token (none), or one a text: the first token's, the average, or what the folder's sentence-transformers
    files say."""
    normalize: bool | None = None
    """Scale each text's vector to length 1; by default what the folder says where pooling is auto, else not."""
    return_tensors: Literal["np"] | None = None
    """Lists of numbers, or NumPy arrays."""

    def __post_init__(self) -> None:
        if self.pooling == "none" and self.normalize:
            raise TaskError(
                "normalize=True scales one vector a text, but pooling='none' gives one a token. Choose pooling='mean', "
                "'cls' or 'auto'."
            )
        if self.pooling == "none" and self.overflow == "window":
            raise TaskError(
                "overflow='window' joins the windows' vectors into one, but pooling='none' gives one a token. Choose "
                "pooling='mean', 'cls' or 'auto', or overflow='truncate'."
            )


@dataclass(frozen=True)
class FeatureExtractor:
    """The task made ready for one model; ``side`` says how to pool, None not to."""

    facts: ModelFacts
    options: FeatureOptions
    limit: int
    side: SideFiles | None

    @property
    def columns(self) -> tuple[Column, ...]:
        """One vector, or one a token."""
        return (Column("features", "number", depth=2) if self.side is None else Column("embedding", "number", depth=1),)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Texts as the model reads them, after the folder's prompt where it has one."""
        texts = [self._prompted(read_text(item)) for item in items]
        return encode_inputs(texts, [None] * len(texts), facts=self.facts, limit=self.limit, options=self.options)

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> np.ndarray:
        """(1, tokens, hidden) without pooling, as in transformers; else (hidden,)."""
        states_SD = outputs["last_hidden_state"]
        return states_SD[None] if self.side is None else pool(states_SD, self.side.pooling)

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> Any:
        """The features; of several windows the average, in which each counts as many times as it has tokens."""
        features = parts[0]
        if len(parts) > 1:
            features = np.average(np.stack(parts), axis=0, weights=[len(sequence) for sequence in encoded.sequences])
        if self.side is not None and self.side.normalize:
            features = to_unit_length(features)
        return features if self.options.return_tensors == "np" else features.tolist()

    def row(self, answer: Any) -> dict[str, Any]:
        """The vector, or those of the tokens."""
        return {"features": answer[0]} if self.side is None else {"embedding": answer}

    def present(self, answers: list[Any], call: Call) -> Any:
        """Features of the text, or a list of those."""
        return answers if call.kind == "list" else answers[0]

    def _prompted(self, text: str) -> str:
        if self.side is None:
            return text
        return self.side.prompt + (text.lower() if self.side.lowercase else text)


def prepare(facts: ModelFacts, options: FeatureOptions) -> FeatureExtractor:
    """The task for a model without a head."""
    side = None if options.pooling == "none" else _side(facts, options)
    limits = [length for length in (options.max_length, side.max_length if side else None) if length is not None]
    limit = token_limit(facts.tokenizer, facts.config, asked=min(limits, default=None))
    return FeatureExtractor(facts, options, limit, side)


def _side(facts: ModelFacts, options: FeatureOptions) -> SideFiles:
    if options.pooling != "auto":
        return SideFiles(pooling=(options.pooling,), normalize=bool(options.normalize))
    found = read_side_files(facts.folder)
    if options.normalize is None:
        return found
    return replace(found, normalize=options.normalize)


TASK = Task(
    name="feature-extraction",
    summary="the model's vectors, one a token or one a text",
    head="base",
    options=FeatureOptions,
    prepare=prepare,
    table=SINGLE_TEXTS,
)
