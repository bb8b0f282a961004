"""Multiple choice: which of several texts fits a prompt best. Zellers et al., 2018, arXiv:1808.05326.

Each choice is a sequence of its own, with one score; a question has as many as it likes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import TaskError
from headway.tasks.calls import one_input
from headway.tasks.choice_scorer import ChoiceScorer, is_withheld, right_place
from headway.tasks.choices import TABLE, Question, read_question
from headway.tasks.columns import label_table
from headway.tasks.limits import encode_inputs, token_limit
from headway.tasks.members import Members, joined
from headway.tasks.numbers import softmax
from headway.tasks.ranked import RankedOptions, best_first, present_ranked, ranked_columns, ranked_row
from headway.tasks.table import Column
from headway.tasks.task import Call, Encoded, Evaluation, Example, ModelFacts, Outputs, Task, Training
from headway.tasks.text_classification import JOINS

CHOICE = (Column("label", "text"), Column("index", "integer"), Column("score", "number"))
USUAL = frozenset(name for names in TABLE.roles.values() for name in names)
ANSWERS = ("label", "labels", "answer", "answerKey", "answer_key", "gold", "correct", "target")


@dataclass(frozen=True, kw_only=True)
class ChoiceOptions(RankedOptions):
    """How many of the choices are given."""


@dataclass(frozen=True)
class Chooser:
    """The task made ready for one model."""

    facts: ModelFacts
    options: ChoiceOptions
    limit: int

    @property
    def columns(self) -> tuple[Column, ...]:
        """The best choice, its place and its score, or a list of those where several may be asked for."""
        return ranked_columns(CHOICE, "choices", self.options.top_k)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """The prompt with each of its choices as the model reads them; of a long one the end of the longer text is left out."""
        questions = [read_question(item) for item in items]
        prompts = [question.prompt for question in questions for _ in question.choices]
        endings = [ending for question in questions for ending in question.endings]
        found = encode_inputs(prompts, endings, facts=self.facts, limit=self.limit, options=self.options)
        return joined(found, [len(question.choices) for question in questions], questions)

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> np.ndarray:
        """The logit of a choice, (1,)."""
        return outputs["logits"].astype(np.float32)

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> list[dict[str, Any]]:
        """The choices, best first, with their places and scores, which add up to 1."""
        members: Members = encoded.memory
        question: Question = members.about
        logits = np.concatenate([JOINS[self.options.join](np.stack(windows)) for windows in members.split(parts)])
        scores = softmax(logits)
        return [_answer(question, place, float(scores[place])) for place in best_first(scores, self.options.top_k)]

    def row(self, answer: Any) -> dict[str, Any]:
        """The best choice, or the list of them."""
        plain = [{column.name: one[column.name] for column in CHOICE} for one in answer]
        return ranked_row(plain, "choices", self.options.top_k)

    def present(self, answers: list[Any], call: Call) -> Any:
        """The best choice of a question, or a list where ``top_k`` was given."""
        return present_ranked(answers, call, self.options.top_k)


def read_call(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A prompt and its choices as two arguments, by place or by name; or whole inputs as one."""
    given = {name: value for name, value in named.items() if name in USUAL}
    options = {name: value for name, value in named.items() if name not in given}
    places = ("prompt", "choices")[: len(arguments)]
    if not given and len(arguments) != 2:
        return one_input(arguments, options)
    if len(arguments) > 2 or any(name in given for name in places):
        raise TaskError(
            f"A call takes a prompt and its choices, pipe(prompt, choices), but {', '.join(given)} came beside {len(arguments)} "
            "more. Give each once."
        )
    return {**dict(zip(places, arguments, strict=True)), **given}, options


def prepare(facts: ModelFacts, options: ChoiceOptions) -> Chooser:
    """The task for a model with one score for a pair of texts."""
    return Chooser(facts, options, token_limit(facts.tokenizer, facts.config, asked=options.max_length))


def prepare_scorer(facts: ModelFacts, options: ChoiceOptions) -> ChoiceScorer:
    """The measure: how often the right choice is taken."""
    return ChoiceScorer()


def examples(encoded: Encoded, reference: Mapping[str, Any], facts: ModelFacts) -> list[Example]:
    """The prompt with each of its choices, and the place of the right one."""
    question: Question = encoded.memory.about
    choices = [_answer(question, place, 0.0) for place in range(len(question.choices))]
    return [Example(encoded.sequences, right_place(choices, reference["label"]))]


def _answer(question: Question, place: int, score: float) -> dict[str, Any]:
    name = {} if question.names is None else {"name": question.names[place]}
    return {"label": question.choices[place], "index": place, "score": score, **name}


TASK = Task(
    name="multiple-choice",
    summary="which of several texts fits a prompt best",
    head="multiple-choice",
    options=ChoiceOptions,
    prepare=prepare,
    read_call=read_call,
    table=TABLE,
    evaluation=Evaluation(table=label_table(ANSWERS), prepare=prepare_scorer, options={"top_k": None}, is_withheld=is_withheld),
    training=Training(examples=examples),
)
