"""Reranking: documents in the order of how well they answer a query, by a model that reads both together, a cross-encoder.

Nogueira and Cho, 2019, arXiv:1901.04085. Scores and order are those of sentence-transformers' ``CrossEncoder.rank``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from headway.architecture import ModelConfig
from headway.errors import TaskError
from headway.tasks.columns import TableForm
from headway.tasks.cross_encoder import CrossEncoder, read_cross_encoder
from headway.tasks.limits import check_lengths, token_limit, window_stride
from headway.tasks.ranking_inputs import read_call, read_ranking
from headway.tasks.ranking_rows import DOCUMENTS, QUERIES, arranged, examples, labels
from headway.tasks.ranking_scorer import RELEVANCE, RankingScorer
from headway.tasks.table import Column
from headway.tasks.task import (
    Call,
    Encoded,
    Evaluation,
    ModelFacts,
    Outputs,
    Task,
    TaskOptions,
    Training,
    check_count,
)
from headway.tasks.text_classification import ACTIVATIONS, JOINS, Activation, default_activation

if TYPE_CHECKING:
    from headway.text.pairing import Ids, Pairing


@dataclass(frozen=True, kw_only=True)
class RankingOptions(TaskOptions):
    """How documents are scored, and how many are given."""

    top_k: int | None = None
    """How many documents of each query to give, best first; None for all."""
    return_documents: bool = False
    """Give each document's text with its score."""
    function_to_apply: Activation | None = None
    """What turns logits into scores; by default what the model's files say, else sigmoid for a model with a single label. For one
    of several labels: what text-classification does."""
    label: str | None = None
    """The label whose score orders the documents, for a model that has several."""
    prompt: str | None = None
    """What is put before each query; by default the folder's default prompt, where it has one."""
    prompt_name: str | None = None
    """The name of one of the folder's prompts to put before each query."""
    join: Literal["max", "mean", "first"] = "max"
    """The score of a long document that is read in windows (``overflow="window"``): the largest of theirs, their average, or the
    first's. Dai and Callan, 2019, arXiv:1905.09217, section 3."""

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k)
        if self.prompt is not None and self.prompt_name is not None:
            raise TaskError(
                f"prompt ({self.prompt!r}) and prompt_name ({self.prompt_name!r}) both say what to put before a query. "
                "Give one of them."
            )
        if not isinstance(self.prompt, str | None):
            raise TaskError(f"prompt is {self.prompt!r}, but it is put before each query, so it is a text itself. Use a string.")


@dataclass(frozen=True)
class Memory:
    """The documents of a query, and for each of them which of the sequences are its."""

    documents: Sequence[str]
    parts: Sequence[range]


@dataclass(frozen=True)
class Reranker:
    """The task made ready for one model; ``place`` is that of the label that counts."""

    facts: ModelFacts
    options: RankingOptions
    side: CrossEncoder
    limit: int
    activation: Activation
    place: int
    prompt: str

    @property
    def columns(self) -> tuple[Column, ...]:
        """The score of the best document, which may be the only one, and all of them in order."""
        text = (Column("text", "text"),) if self.options.return_documents else ()
        ranked = (Column("corpus_id", "integer"), Column("score", "number"), *text)
        return Column("score", "number"), Column("ranking", ranked, depth=1)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Each query with each of its documents as the model reads them; every text is tokenised once."""
        rankings = [read_ranking(item) for item in items]
        queries = [self._cased(self.prompt + query) for query, _ in rankings]
        documents = [self._cased(document) for _, found in rankings for document in found]
        pairing = self.facts.tokenizer.pairing(max_length=self.limit)
        if self.options.overflow != "truncate" or self.options.count_dropped:
            query_ids, document_ids = pairing.ids(queries), pairing.ids(documents)
        else:
            query_ids, document_ids = pairing.cross_ids(queries, documents)
        rest = iter(document_ids)
        return [
            self._encoded(ids, list(islice(rest, len(found))), found, pairing)
            for ids, (_, found) in zip(query_ids, rankings, strict=True)
        ]

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> float:
        """The score of a pair."""
        scores = ACTIVATIONS[self.activation](outputs["logits"].astype(np.float32))
        return float(scores[self.place])

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> list[dict[str, Any]]:
        """The documents by their places in the list, best first; equal ones in its order."""
        memory: Memory = encoded.memory
        join = JOINS[self.options.join]
        scores = [float(join(np.array(parts[found.start : found.stop]))) for found in memory.parts]
        best = sorted(range(len(scores)), key=lambda place: -scores[place])[: self.options.top_k]
        ranked = [{"corpus_id": place, "score": scores[place]} for place in best]
        if not self.options.return_documents:
            return ranked
        return [{**one, "text": memory.documents[place]} for one, place in zip(ranked, best, strict=True)]

    def row(self, answer: Any) -> dict[str, Any]:
        """The best score, None without documents, and the ranking."""
        return {"score": answer[0]["score"] if answer else None, "ranking": answer}

    def present(self, answers: list[Any], call: Call) -> Any:
        """The ranking for a query, or a list of those."""
        return answers if call.kind == "list" else answers[0]

    def _cased(self, text: str) -> str:
        return text.lower() if self.side.lowercase else text

    def _encoded(self, query: "Ids", documents: Sequence["Ids"], texts: Sequence[str], pairing: "Pairing") -> Encoded:
        keys = list(map(tuple, documents))
        pairs = {ids: self._pairs(query, ids, pairing) for ids in dict.fromkeys(keys)}
        sequences = tuple(pairing.join(*pair) for found in pairs.values() for pair in found)
        if self.options.overflow == "error":
            check_lengths(sequences, self.limit)
        stops = accumulate(map(len, pairs.values()))
        parts = {ids: range(stop - len(found), stop) for (ids, found), stop in zip(pairs.items(), stops, strict=True)}
        dropped = self._dropped(query, keys, pairs) if self.options.count_dropped else 0
        return Encoded(sequences, Memory(texts, [parts[ids] for ids in keys]), dropped)

    def _pairs(self, query: "Ids", document: "Ids", pairing: "Pairing") -> list[tuple["Ids", "Ids"]]:
        """The query with the document, or with each of its windows; what is cut is cut from the longer of both first."""
        if self.options.overflow == "error":
            return [(query, document)]
        asked, kept = pairing.shorten(query, document)
        if self.options.overflow == "truncate":
            return [(asked, kept)]
        room = pairing.room - len(asked)
        windows = pairing.windows(document, room, stride=window_stride(self.options.stride, limit=room))
        return [(asked, window) for window in windows]

    def _dropped(self, query: "Ids", documents: Sequence["Ids"], pairs: "Mapping[tuple[int, ...], list[tuple[Ids, Ids]]]") -> int:
        """How many tokens of the query and of the documents are in no pair."""
        asked = max((len(first) for found in pairs.values() for first, _ in found), default=len(query))
        lost = 0 if self.options.overflow == "window" else sum(len(ids) - len(pairs[tuple(ids)][0][1]) for ids in documents)
        return len(query) - asked + lost


def prepare(facts: ModelFacts, options: RankingOptions) -> Reranker:
    """The task for a cross-encoder."""
    side = read_cross_encoder(facts)
    asked = min((length for length in (options.max_length, side.max_length) if length is not None), default=None)
    return Reranker(
        facts=facts,
        options=options,
        side=side,
        limit=token_limit(facts.tokenizer, facts.config, asked=asked),
        activation=chosen_activation(facts.config, options, side),
        place=label_place(facts.config, options.label),
        prompt=side.prompt(options.prompt_name) if options.prompt is None else options.prompt,
    )


def label_place(config: ModelConfig, label: str | None) -> int:
    """The place of the label whose score orders documents: the only one, or that with the name."""
    names = list(config.id2label.values())
    if label is None and len(names) > 1:
        raise TaskError(
            f"This model has {len(names)} labels ({', '.join(names)}), so it does not say by itself which of their scores tells "
            f"how well a document answers. Name the label, label={names[-1]!r}, or choose a model with a single one."
        )
    if label is not None and label not in names:
        raise TaskError(f"label is {label!r}, which is none of the model's: {', '.join(names)}. Name one of these.")
    return 0 if label is None else names.index(label)


def chosen_activation(config: ModelConfig, options: RankingOptions, side: CrossEncoder) -> Activation:
    """What turns logits into scores: as asked, else as the files say for a single label, and as the training was for several."""
    if config.num_labels > 1:
        return options.function_to_apply or default_activation(config)
    if options.function_to_apply == "softmax":
        raise TaskError(
            "function_to_apply='softmax' shares 1 among a model's labels, but this one has a single label, whose score would "
            "always be 1. Use 'sigmoid' or 'none'."
        )
    return options.function_to_apply or side.activation()


def translate(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options of ``CrossEncoder.rank`` that change nothing here are left out."""
    return {name: value for name, value in values.items() if name not in ("show_progress_bar", "convert_to_numpy")}


TASK = Task(
    name="text-ranking",
    aliases=("reranking",),
    summary="documents in the order of how well they answer a query",
    head="sequence-classification",
    options=RankingOptions,
    prepare=prepare,
    read_call=read_call,
    table=TableForm(roles={"query": QUERIES, "documents": DOCUMENTS}),
    translate=translate,
    training=Training(examples=examples, labels=labels, arranged=arranged, objective="relevance"),
    evaluation=Evaluation(table=RELEVANCE, prepare=lambda facts, options: RankingScorer(), options={"top_k": None}),
)
