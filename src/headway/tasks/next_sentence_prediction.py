"""Next-sentence prediction: whether a text goes on with another. Devlin et al., 2019, arXiv:1810.04805, section 3.1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import InputError, TaskError
from headway.tasks.calls import one_input
from headway.tasks.classification_scorer import LabelScorer
from headway.tasks.columns import PAIRS, TableForm, label_table
from headway.tasks.inputs import read_text
from headway.tasks.limits import encode_inputs, token_limit
from headway.tasks.numbers import softmax
from headway.tasks.ranked import RankedOptions, best_first, present_ranked, ranked_columns, ranked_row
from headway.tasks.references import label_is_withheld, label_place
from headway.tasks.table import LABEL, Column
from headway.tasks.task import Call, Encoded, Evaluation, Example, ModelFacts, Outputs, Task, Training
from headway.tasks.text_classification import JOINS

NAMES = ("IsNext", "NotNext")
"""The paper's names, in the order of the model's outputs."""
SECOND = ("text_pair", "next_sentence")
"""What the second text may be called."""
TRUTHS = ("label", "labels", "next_sentence_label", "is_random_next", "target")


@dataclass(frozen=True, kw_only=True)
class NextSentenceOptions(RankedOptions):
    """Which of the two labels are given."""


@dataclass(frozen=True)
class NextSentencePredictor:
    """The task made ready for one model."""

    facts: ModelFacts
    options: NextSentenceOptions
    limit: int

    @property
    def columns(self) -> tuple[Column, ...]:
        """The likelier label and its score, or a list of both where several may be asked for."""
        return ranked_columns(LABEL, "labels", self.options.top_k)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Pairs as the model reads them."""
        found = [read_two(item) for item in items]
        texts, pairs = [first for first, _ in found], [second for _, second in found]
        return encode_inputs(texts, pairs, facts=self.facts, limit=self.limit, options=self.options)

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> np.ndarray:
        """How likely the second text follows the first, and how likely it does not, (2,)."""
        return softmax(outputs["logits"].astype(np.float32))

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> list[dict[str, Any]]:
        """The labels with their scores, the likelier first."""
        scores = JOINS[self.options.join](np.stack(parts))
        return [{"label": NAMES[place], "score": float(scores[place])} for place in best_first(scores, self.options.top_k)]

    def row(self, answer: Any) -> dict[str, Any]:
        """The label and its score, or the list of them."""
        return ranked_row(answer, "labels", self.options.top_k)

    def present(self, answers: list[Any], call: Call) -> Any:
        """The likelier label of a pair, or a list where ``top_k`` was given."""
        return present_ranked(answers, call, self.options.top_k)


def read_two(item: Any) -> tuple[str, str]:
    """The text and the one that may follow it."""
    if not isinstance(item, Mapping) or "text" not in item or len(item) != 2 or not any(name in item for name in SECOND):
        said = f"has the keys {', '.join(map(repr, item)) or 'none'}" if isinstance(item, Mapping) else f"is {_named(item)}"
        raise InputError(
            f"An input {said}, where a text and the one that may follow it belong: "
            '{"text": …, "next_sentence": …}. Give both, or call pipe(text, next_sentence).'
        )
    return read_text(item["text"]), read_text(next(item[name] for name in SECOND if name in item))


def read_call(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Two texts as two arguments, by place or by name; or whole inputs as one."""
    given = {name: named[name] for name in ("text", *SECOND) if name in named}
    options = {name: value for name, value in named.items() if name not in given}
    if len(arguments) == 2 and not given:
        return {"text": arguments[0], "next_sentence": arguments[1]}, options
    if given and len(arguments) < 2:
        first = {"text": arguments[0]} if arguments and "text" not in given else {}
        if len(first) == len(arguments):
            return {**first, **given}, options
    if given:
        raise TaskError(
            f"A call takes a text and the one that may follow it, pipe(text, next_sentence), but {', '.join(given)} came beside "
            f"{len(arguments)} more. Give each once."
        )
    return one_input(arguments, options)


def prepare(facts: ModelFacts, options: NextSentenceOptions) -> NextSentencePredictor:
    """The task for a model with two scores for a pair of texts."""
    return NextSentencePredictor(facts, options, token_limit(facts.tokenizer, facts.config, asked=options.max_length))


def prepare_scorer(facts: ModelFacts, options: NextSentenceOptions) -> LabelScorer:
    """The measure: 0, or IsNext, for a text that follows, as BERT's labels have it."""
    return LabelScorer(NAMES, positive=0)


def examples(encoded: Encoded, reference: Mapping[str, Any], facts: ModelFacts) -> list[Example]:
    """The pair, and whether its second text follows, 0, or not, 1; of a pair in windows each window has it."""
    target = label_place(reference["label"], NAMES)
    return [Example((sequence,), target) for sequence in encoded.sequences]


def _named(item: Any) -> str:
    return "None" if item is None else f"a {type(item).__name__}"


TASK = Task(
    name="next-sentence-prediction",
    summary="whether a text goes on with another",
    head="next-sentence",
    options=NextSentenceOptions,
    prepare=prepare,
    read_call=read_call,
    table=TableForm(
        roles={
            "text": ("text", "sentence_a", "first_sentence", "prompt"),
            "text_pair": (*SECOND, "sentence_b", "second_sentence"),
        },
        together=PAIRS,
        item=dict,
    ),
    evaluation=Evaluation(
        table=label_table(TRUTHS), prepare=prepare_scorer, options={"top_k": None}, is_withheld=label_is_withheld
    ),
    training=Training(examples=examples),
)
