"""Feature extraction: the model's vectors, one a token as transformers' pipeline gives them, or one a text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from headway.errors import TaskError
from headway.tasks.inputs import read_text
from headway.tasks.limits import encode_texts, token_limit
from headway.tasks.pooling import pool, to_unit_length
from headway.tasks.sentence_transformer import SideFiles, read_side_files
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


@dataclass(frozen=True)
class FeatureExtractor:
    """The task made ready for one model; ``side`` says how to pool, None not to."""

    facts: ModelFacts
    options: FeatureOptions
    limit: int
    side: SideFiles | None

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Texts as the model reads them, after the folder's prompt where it has one."""
        texts, refuse = [self._prompted(read_text(item)) for item in items], self.options.overflow == "error"
        sequences = encode_texts(
            texts, [None] * len(texts), tokenizer=self.facts.tokenizer, limit=self.limit, refuse_longer=refuse
        )
        return [Encoded(tokens) for tokens in sequences]

    def decode(self, outputs: Outputs, encoded: Encoded) -> Any:
        """(1, tokens, hidden) without pooling, as in transformers; else (hidden,)."""
        states_SD = outputs["last_hidden_state"]
        features = states_SD[None] if self.side is None else self._pooled(states_SD, self.side)
        return features if self.options.return_tensors == "np" else features.tolist()

    def present(self, answers: list[Any], call: Call) -> Any:
        """Features of the text, or a list of those."""
        return answers if call.kind == "list" else answers[0]

    def _prompted(self, text: str) -> str:
        if self.side is None:
            return text
        return self.side.prompt + (text.lower() if self.side.lowercase else text)

    def _pooled(self, states_SD: np.ndarray, side: SideFiles) -> np.ndarray:
        vector = pool(states_SD, side.pooling)
        return to_unit_length(vector) if side.normalize else vector


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
)
