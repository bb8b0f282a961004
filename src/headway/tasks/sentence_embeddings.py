"""Sentence embeddings: one vector a text, as sentence-transformers makes it. Reimers and Gurevych, 2019, arXiv:1908.10084."""

from dataclasses import dataclass

from headway.tasks.columns import SINGLE_TEXTS
from headway.tasks.feature_extraction import FeatureOptions, prepare, translate
from headway.tasks.sentence_learning import LEARNING
from headway.tasks.task import Task
from headway.tasks.vectors import Pooling


@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions(FeatureOptions):
    """How sentence vectors are made."""

    pooling: Pooling = "auto"
    """What the folder's sentence-transformers files say (the average where it has none), or a choice of one's own."""


TASK = Task(
    name="sentence-embeddings",
    summary="one vector a text, as sentence-transformers makes it",
    head="base",
    options=EmbeddingOptions,
    prepare=prepare,
    table=SINGLE_TEXTS,
    translate=translate,
    learning=LEARNING,
)
