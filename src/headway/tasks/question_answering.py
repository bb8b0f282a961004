"""Extractive question answering: the words of a context that answer a question, with the answers of transformers' pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headway.errors import TaskError
from headway.tasks.answer_spans import (
    Answer,
    Candidates,
    candidates,
    in_characters,
    joined,
    limited,
    no_answer,
    with_no_answer,
)
from headway.tasks.columns import TableForm
from headway.tasks.limits import token_limit
from headway.tasks.question_inputs import read_call, read_question
from headway.tasks.question_targets import answer_examples, both_ends
from headway.tasks.question_windows import Limits, encode_questions
from headway.tasks.squad_metrics import ANSWERS, SquadScorer, is_withheld
from headway.tasks.table import Column
from headway.tasks.task import Call, Encoded, Evaluation, ModelFacts, Outputs, Task, TaskOptions, Training

USUAL_TOKENS = 384
SPARE = 10
"""How many candidates more than twice those asked for are taken of a window, because aligning to words makes some equal."""

ANSWER = (Column("answer", "text"), Column("score", "number"), Column("start", "integer"), Column("end", "integer"))
NO_ANSWER = (Column("no_answer_score", "number"), Column("best_answer", "text"), Column("best_score", "number"))

QUESTIONS = TableForm(
    roles={
        "question": ("question", "query", "questions", "title"),
        "context": ("context", "passage", "paragraph", "document", "article", "text", "content", "sentence"),
    }
)

NAMES = {"topk": "top_k", "max_seq_len": "max_length", "doc_stride": "stride"}
"""Options as transformers calls them."""


@dataclass(frozen=True, kw_only=True)
class QuestionOptions(TaskOptions):
    """How questions are answered. ``max_seq_len``, ``doc_stride`` and ``topk`` are known as names too."""

    max_length: int | None = None
    """Most tokens of a sequence, a question with as much of its context as fits; by default 384, or the model's own limit if that
    is less. transformers calls it max_seq_len."""
    overflow: Literal["truncate", "window", "error"] = "window"
    """What happens to a context that is too long: it is read in windows, only its beginning is read, or it is refused."""
    stride: int | None = None
    """How many tokens of the context neighbouring windows share; by default 128, or half of max_length if that is less.
    transformers calls it doc_stride."""
    top_k: int = 1
    """How many answers to give, best first; fewer where there are not so many."""
    max_question_len: int = 64
    """Most tokens of a question that the model reads; the rest of it is left out."""
    max_answer_len: int = 15
    """Most tokens of an answer."""
    handle_impossible_answer: bool = False
    """Let there be no answer: an empty one, with the model's score for it, stands among the others."""
    no_answer_threshold: float | None = None
    """Answer with nothing where the score of there being no answer is larger than the best answer's by more than this, from -1
    to 1. By default the scores themselves decide, if handle_impossible_answer is set."""
    align_to_words: bool = True
    """Give whole words, where the tokenizer knows them."""
    no_answer_score: bool = False
    """Give with each answer the score of there being none, and the best answer that is not empty with its score: what a threshold
    is chosen by."""

    def __post_init__(self) -> None:
        _check_count("top_k", self.top_k, of="answers")
        _check_count("max_question_len", self.max_question_len)
        _check_count("max_answer_len", self.max_answer_len)
        if self.max_length is not None:
            _check_count("max_length", self.max_length)
        if self.stride is not None:
            _check_count("stride", self.stride, least=0)
        threshold = self.no_answer_threshold
        if threshold is not None and (not isinstance(threshold, int | float) or isinstance(threshold, bool)):
            raise TaskError(
                f"no_answer_threshold is {threshold!r}, but it is a difference of scores. Use a number from -1 to 1, or None."
            )


@dataclass(frozen=True)
class QuestionAnswerer:
    """The task made ready for one model."""

    facts: ModelFacts
    options: QuestionOptions
    limits: Limits

    @property
    def columns(self) -> tuple[Column, ...]:
        """The answer, its score and where it stands, or a list of those where several may be asked for."""
        record = (*ANSWER, *NO_ANSWER) if self.options.no_answer_score else ANSWER
        return record if self.options.top_k == 1 else (Column("answers", record, depth=1),)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Questions with their contexts as the model reads them."""
        return encode_questions([read_question(item) for item in items], tokenizer=self.facts.tokenizer, limits=self.limits)

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> Candidates:
        """The best spans of one window."""
        count = self.options.top_k * 2 + SPARE if self.options.align_to_words else self.options.top_k
        return candidates(
            outputs["start_logits"],
            outputs["end_logits"],
            encoded.memory.windows[part],
            count=count,
            longest=self.options.max_answer_len,
            has_no_answer_token=encoded.sequences[part].ids[0] == self.facts.tokenizer.cls_token_id,
        )

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> list[Answer]:
        """The best answers of all windows; at least one, which is empty where the context has no tokens."""
        passage, by_words = encoded.memory, self.options.align_to_words
        spans = [
            span
            for found, window in zip(parts, passage.windows, strict=True)
            for span in in_characters(found, passage, window, by_words=by_words)
        ]
        best = joined(passage.text, spans) or [no_answer(0.0)]
        nothing = min(found.no_answer for found in parts)
        threshold = self.options.no_answer_threshold
        if self.options.handle_impossible_answer or threshold is not None:
            answers = with_no_answer(best if spans else [], nothing, threshold=threshold)
        else:
            answers = best
        return [self._shown(answer, best[0], nothing) for answer in answers[: self.options.top_k]]

    def row(self, answer: Any) -> dict[str, Any]:
        """The answer with its score and place, or the list of them."""
        return answer[0] if self.options.top_k == 1 else {"answers": answer}

    def present(self, answers: list[Any], call: Call) -> Any:
        """As in transformers: one answer as a dict and several as a list, and a single question's without the list around it."""
        found = [answer[0] if len(answer) == 1 else answer for answer in answers]
        return found[0] if len(found) == 1 else found

    def _shown(self, answer: Answer, best: Answer, nothing: float) -> Answer:
        shown = limited(answer)
        if not self.options.no_answer_score:
            return shown
        return {**shown, "no_answer_score": nothing, "best_answer": best["answer"], "best_score": limited(best)["score"]}


def prepare(facts: ModelFacts, options: QuestionOptions) -> QuestionAnswerer:
    """The task for a model that says of each token how likely an answer begins and ends there."""
    limit = token_limit(facts.tokenizer, facts.config)
    limits = Limits(
        tokens=min(limit, options.max_length or USUAL_TOKENS),
        question=options.max_question_len,
        stride=options.stride,
        overflow=options.overflow,
    )
    limits.check(facts.tokenizer.num_special_tokens_to_add(pair=True))
    return QuestionAnswerer(facts, options, limits)


def prepare_scorer(facts: ModelFacts, options: QuestionOptions) -> SquadScorer:
    """SQuAD's measures."""
    return SquadScorer()


def translate(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Options by transformers' names under ours. None is the default, whatever that is."""
    return {NAMES.get(name, name): value for name, value in values.items() if value is not None}


def _check_count(name: str, value: Any, *, of: str = "tokens", least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise TaskError(f"{name} is {value!r}, but it counts {of}. Use a whole number from {least} on.")


TASK = Task(
    name="question-answering",
    summary="the words of a context that answer a question",
    head="question-answering",
    options=QuestionOptions,
    prepare=prepare,
    read_call=read_call,
    table=QUESTIONS,
    evaluation=Evaluation(
        table=ANSWERS, prepare=prepare_scorer, options={"top_k": 1, "no_answer_score": True}, is_withheld=is_withheld
    ),
    training=Training(examples=answer_examples, labels=both_ends),
    translate=translate,
)
