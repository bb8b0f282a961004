"""Sentence embeddings: one vector a text, as sentence-transformers makes it. Reimers and Gurevych, 2019, arXiv:1908.10084."""

from dataclasses import dataclass
from typing import Literal

from headway.tasks.columns import SINGLE_TEXTS
from headway.tasks.feature_extraction import FeatureOptions, prepare
from headway.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions(FeatureOptions):
    """How sentence vectors are made."""

    pooling: Literal["none", "cls", "mean", "auto"] = "auto"
    """What the folder's sentence-transformers files say (the average where it has none), or a choice of one's own."""


TASK = Task(
    name="sentence-embeddings",
    summary="one vector a text, as sentence-transformers makes it",
    head="base",
    options=EmbeddingOptions,
    prepare=prepare,
    table=SINGLE_TEXTS,
)
