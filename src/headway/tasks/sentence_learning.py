"""How sentence embeddings are learnt and measured meanwhile: from texts that are compared, whichever task they are used in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import DataError
from headway.tasks.columns import TableForm
from headway.tasks.members import Members
from headway.tasks.references import number
from headway.tasks.sentence_rows import LABEL, OTHERS, SOURCE, arranged
from headway.tasks.sentence_scorer import SentenceScorer
from headway.tasks.sentence_similarity import Comparer, SimilarityOptions, prepare
from headway.tasks.table import Column
from headway.tasks.task import Call, Encoded, Evaluation, Example, ModelFacts, Outputs, Task, Training

OBJECTIVE = "sentence-vectors"


@dataclass(frozen=True)
class Compared:
    """The texts of a row, whose answer is their vectors."""

    comparer: Comparer

    @property
    def columns(self) -> tuple[Column, ...]:
        """The vectors."""
        return (Column("embeddings", "number", depth=2),)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Each row's texts as the model reads them."""
        return self.comparer.encode(items)

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> np.ndarray:
        """The pooled vector of one text, (hidden,)."""
        return self.comparer.reduce(outputs, encoded, part=part)

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> np.ndarray:
        """The vectors of the text and of those that it is compared with, (texts, values)."""
        members: Members = encoded.memory
        lengths = members.split([len(sequence) for sequence in encoded.sequences])
        each = zip(members.split(parts), lengths, strict=True)
        return np.stack([self.comparer.embedder.vector(windows, sizes) for windows, sizes in each])

    def row(self, answer: Any) -> dict[str, Any]:
        """The vectors."""
        return {"embeddings": answer.tolist()}

    def present(self, answers: list[Any], call: Call) -> Any:
        """The vectors of one row, or a list of those."""
        return answers if call.kind == "list" else answers[0]


def examples(encoded: Encoded, reference: Mapping[str, Any], facts: ModelFacts) -> list[Example]:
    """The texts of a row with their similarity, or with 0, the place of the one that belongs."""
    label = reference[LABEL]
    if isinstance(label, list | tuple):
        if not label or label[0] != 1 or any(label[1:]):
            raise DataError(
                f"The labels of a text's others are {list(label)}, but the first belongs (1), and no other does (0). Put the one "
                "that belongs first."
            )
        return [Example(encoded.sequences, 0)]
    if len(encoded.sequences) != 2:
        raise DataError(f"A similarity is that of two texts, but the row has {len(encoded.sequences)}. Give a pair a row.")
    return [Example(encoded.sequences, number(label))]


LEARNING = Task(
    name="sentence-embeddings",
    summary="texts that are compared",
    head="base",
    options=SimilarityOptions,
    prepare=lambda facts, options: Compared(prepare(facts, options)),
    table=TableForm(roles={SOURCE: (SOURCE,), OTHERS: (OTHERS,)}),
    training=Training(examples=examples, arranged=arranged, objective=OBJECTIVE),
    evaluation=Evaluation(
        table=TableForm(roles={LABEL: (LABEL,)}),
        prepare=lambda facts, options: SentenceScorer(prepare(facts, options).similarity),
    ),
)
