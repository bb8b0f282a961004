"""Sentence similarity: how alike a text and others are, by their sentence vectors; the inputs are those of Hugging Face's API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from headway.errors import InputError, TaskError
from headway.tasks.calls import one_input
from headway.tasks.columns import PAIRS, TableForm, label_table
from headway.tasks.correlation_scorer import CorrelationScorer
from headway.tasks.inputs import is_list, read_text
from headway.tasks.members import Members, joined
from headway.tasks.sentence_rows import SCORES
from headway.tasks.similarities import SIMILARITIES
from headway.tasks.table import Column
from headway.tasks.task import Call, Encoded, Evaluation, ModelFacts, Outputs, Task
from headway.tasks.vectors import Embedder, Pooled, VectorOptions, prepare_embedder, translate

Similarity = Literal["cosine", "dot", "euclidean", "manhattan"]


@dataclass(frozen=True, kw_only=True)
class SimilarityOptions(VectorOptions):
    """How texts are compared."""

    pooling: Pooled = "auto"
    """What the folder's sentence-transformers files say (the average where it has none), or a choice of one's own."""
    similarity: Similarity | None = None
    """The cosine of the vectors' angle, their scalar product, or a distance below zero; by default what the folder says where
    pooling is auto, else the cosine."""


@dataclass(frozen=True)
class Comparison:
    """A text and those that it is compared with; ``is_pair`` where there is one that stands for itself and not in a list."""

    source: str
    others: tuple[str, ...]
    is_pair: bool = False


@dataclass(frozen=True)
class Comparer:
    """The task made ready for one model."""

    embedder: Embedder
    similarity: str

    @property
    def columns(self) -> tuple[Column, ...]:
        """A pair's score."""
        return (Column("score", "number"),)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Each input's texts as the model reads them, the one that is compared first; nothing where it is compared with none."""
        found = [read_comparison(item) for item in items]
        texts = [(one.source, *one.others) if one.others else () for one in found]
        encoded = self.embedder.encode([text for several in texts for text in several])
        return joined(encoded, map(len, texts), [one.is_pair for one in found])

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> np.ndarray:
        """The pooled vector of one window of one text, (hidden,)."""
        members: Members = encoded.memory
        return self.embedder.pooled(outputs["last_hidden_state"], is_first=not self.embedder.skipped or part in members.starts)

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> float | list[float]:
        """How alike the first text and each of the others are: a number, or for a pair that number alone."""
        members: Members = encoded.memory
        lengths = members.split([len(sequence) for sequence in encoded.sequences])
        vectors = [self.embedder.vector(windows, sizes) for windows, sizes in zip(members.split(parts), lengths, strict=True)]
        scores = SIMILARITIES[self.similarity](vectors[0], np.stack(vectors[1:])).tolist() if vectors else []
        return scores[0] if members.about else scores

    def row(self, answer: Any) -> dict[str, Any]:
        """The score of a pair."""
        return {"score": answer}

    def present(self, answers: list[Any], call: Call) -> Any:
        """A number for a pair, a list of them for a text and others; or a list of either."""
        return answers if call.kind == "list" else answers[0]


def read_comparison(item: Any) -> Comparison:
    """What is compared, from a source and sentences or from a pair; anything else is an ``InputError``."""
    if not isinstance(item, Mapping):
        raise InputError(
            f"An input is {'None' if item is None else f'a {type(item).__name__}'}, where a text belongs that others are "
            'compared with: {"source_sentence": …, "sentences": […]}, or for two texts {"text": …, "text_pair": …}.'
        )
    keys = set(item)
    if keys == {"text", "text_pair"}:
        return Comparison(read_text(item["text"]), (read_text(item["text_pair"]),), is_pair=True)
    if keys != {"source_sentence", "sentences"}:
        raise InputError(
            f"An input has the keys {', '.join(map(repr, item)) or 'none'}, but a text with others to compare it with has "
            '"source_sentence" and "sentences", and a pair has "text" and "text_pair". Rename them.'
        )
    others = item["sentences"]
    if isinstance(others, str):
        return Comparison(read_text(item["source_sentence"]), (others,), is_pair=True)
    if not is_list(others):
        raise InputError(
            f"sentences is a {type(others).__name__}, but the texts to compare with are a list. Use sentences=[…], or one text."
        )
    return Comparison(read_text(item["source_sentence"]), tuple(map(read_text, others)))


def read_call(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A source and its sentences as two arguments, by place or by name; or whole inputs as one."""
    names = ("source_sentence", "sentences")
    if len(arguments) + sum(name in named for name in names) != 2 or len(arguments) > 2:
        if any(name in named for name in names):
            raise TaskError(
                "A call takes a text and those to compare it with, pipe(source_sentence, sentences), or a list of such inputs, "
                "each with both keys. Give both, or one argument."
            )
        return one_input(arguments, named)
    options = {name: value for name, value in named.items() if name not in names}
    given = {**dict(zip(names, arguments, strict=False)), **{name: named[name] for name in names if name in named}}
    return given, options


def prepare(facts: ModelFacts, options: SimilarityOptions) -> Comparer:
    """The task for a model without a head."""
    embedder = prepare_embedder(facts, options)
    similarity = options.similarity or embedder.side.similarity or "cosine"
    if similarity not in SIMILARITIES:
        raise TaskError(
            f"{facts.folder} asks for the similarity {similarity!r}, which is not computed here. Choose one: similarity="
            f"{' or '.join(map(repr, SIMILARITIES))}."
        )
    return Comparer(embedder, similarity)


def prepare_scorer(facts: ModelFacts, options: SimilarityOptions) -> CorrelationScorer:
    """The measure for pairs."""
    return CorrelationScorer()


TASK = Task(
    name="sentence-similarity",
    summary="how alike a text and others are",
    head="base",
    options=SimilarityOptions,
    prepare=prepare,
    read_call=read_call,
    table=TableForm(
        roles={"text": ("source_sentence",), "text_pair": ("target_sentence",)},
        together=(*PAIRS, ("anchor", "positive")),
        item=dict,
    ),
    evaluation=Evaluation(table=label_table(SCORES), prepare=prepare_scorer),
    translate=translate,
)
