"""What one file in ``tasks/`` says about its task: ``TASK``.

A task turns inputs into token sequences and a model's outputs into answers; where it can be trained it also reads labelled
rows. What a model sees in training and in production therefore comes from one definition.
"""

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from headway.architecture import ModelConfig
from headway.architecture.family import HeadName
from headway.core.batching import TokenSequence
from headway.core.config import Config, closest
from headway.errors import TaskError
from headway.tasks.calls import ReadCall, one_input
from headway.tasks.columns import TEXTS, TableForm
from headway.tasks.labels import is_nothing
from headway.tasks.spellings import in_our_words
from headway.tasks.table import Column

if TYPE_CHECKING:
    from headway.text import Tokenizer

Outputs: TypeAlias = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a task may know of the model that it works with: everything but the weights."""

    tokenizer: "Tokenizer"
    config: ModelConfig
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class TaskOptions(Config):
    """What every task lets the caller choose."""

    max_length: int | None = None
    """Most tokens of a text that the model reads, special tokens included; never more than the model's own limit."""
    overflow: Literal["truncate", "window", "error"] = "truncate"
    """What happens to a longer text: what is beyond is left out (from the longer of a pair first), or the text is read in windows
    whose answers are joined, or it is refused."""
    stride: int | None = None
    """How many tokens neighbouring windows share; by default a quarter of what a window can hold."""
    count_dropped: bool = False
    """Count the tokens that were left out. They are then made even where the beginning of a text would have been enough."""


@dataclass(frozen=True)
class Encoded:
    """One input as the model reads it, and whatever the task wants to remember of it until its outputs come.

    Most inputs are one sequence; a long text may be several windows, and a text with candidates is one sequence for each of them.
    ``dropped`` counts the tokens of the input that none of the sequences holds.
    """

    sequences: tuple[TokenSequence, ...]
    memory: Any = None
    dropped: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens the model reads for this input."""
        return sum(map(len, self.sequences))


@dataclass(frozen=True)
class Call:
    """How a pipeline was called, where the form of the answer depends on it, as it does in transformers."""

    kind: Literal["text", "item", "list"]
    at_call: frozenset[str] = frozenset()
    """The options that this call gave."""
    given: frozenset[str] = frozenset()
    """The options that the caller ever gave, to the pipeline or to this call."""


class Prepared(Protocol):
    """A task made ready for one model and one choice of options. Safe to use from several threads."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What ``row`` gives, by name and kind: known before the first answer, and the same for all of them."""
        ...

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """The inputs as the model reads them, in order; an input that cannot be read is an ``InputError``."""
        ...

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> Any:
        """What ``decode`` needs of the outputs, without padding, of one of the input's sequences.

        It may have to wait for the others, so it should be small.
        """
        ...

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> Any:
        """The answer to one input, from what ``reduce`` made of each sequence; ready for JSON if the options let it be."""
        ...

    def row(self, answer: Any) -> dict[str, Any]:
        """An answer as a row of a table with the ``columns``."""
        ...

    def present(self, answers: list[Any], call: Call) -> Any:
        """What the caller gets for these answers: one of them, or the list."""
        ...


@dataclass(frozen=True)
class Example:
    """What a head learns from at once: one sequence, or one for each choice, and the target that the head's loss reads.

    A target is the place of a label or of the right choice, a number, 0 or 1 for each label, a label's place for each token
    (``IGNORED`` where there is nothing to learn), or the first and the last token of an answer. None is for rows without one.
    """

    sequences: tuple[TokenSequence, ...]
    target: Any

    @property
    def tokens(self) -> int:
        """How many tokens the model reads for it."""
        return sum(map(len, self.sequences))


@dataclass(frozen=True)
class Labels:
    """What the references of a data set say of the model that learns from them: its labels' names, and its ``problem_type``."""

    names: tuple[str, ...] = ()
    problem: str | None = None


def no_options(references: Iterable[Mapping[str, Any]], facts: ModelFacts) -> Mapping[str, Any]:
    """For tasks whose references say nothing of how answers are read."""
    return {}


def no_labels(references: Iterable[Mapping[str, Any]], problem: str | None) -> Labels:
    """For models whose outputs are not labels of the data's."""
    return Labels()


def as_they_are(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """For tasks whose rows have one form."""
    return rows


@dataclass(frozen=True)
class Details:
    """A table for people, with a title and a header."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


class Scorer(Protocol):
    """Measures answers against references, one at a time, keeping little of each."""

    def observe(self, answer: Any, reference: Mapping[str, Any]) -> Any:
        """What is kept of one answer and its reference, the cells by role. An unreadable reference is a ``DataError``."""
        ...

    def gather(self, observations: Sequence[Any]) -> np.ndarray:
        """The observations as numbers, (inputs, numbers), from any rows of which ``scores`` can be computed."""
        ...

    def scores(self, table_NK: np.ndarray) -> dict[str, float]:
        """The measures by name, the most telling first; so that bootstrap can take rows with repetition."""
        ...

    def wrongness(self, answer: Any, reference: Mapping[str, Any]) -> float:
        """How wrong an answer is: 0 where it is right, and more the surer a wrong one is, so that the worst can be shown."""
        ...

    def details(self, table_NK: np.ndarray) -> list[Details]:
        """Tables for people: by label, or which label was taken for which."""
        ...


def nothing_told(cells: Mapping[str, Any], facts: ModelFacts) -> bool:
    """Whether all of a row's cells for the reference are empty."""
    return all(is_nothing(value) for value in cells.values())


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How answers are measured."""

    table: TableForm
    """How the references stand in a table: their roles and usual columns."""
    prepare: Callable[[ModelFacts, Any], Scorer]
    """The measure for a model and the task's options, after ``options`` were set."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that the measure needs the task to run with, such as all labels' scores."""
    is_withheld: Callable[[Mapping[str, Any], ModelFacts], bool] = nothing_told
    """Whether a row's cells, by role, tell no reference, as in test sets; such rows are counted and left out."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a task learns from labelled rows. They are read, and the answers measured, as its ``Evaluation`` says."""

    examples: Callable[[Encoded, Mapping[str, Any], ModelFacts], Sequence[Example]]
    """What is learnt from an input as the model reads it and its reference, the cells by role. The sequences of the examples are
    those of the input, in order. A reference that cannot be read is a ``DataError``."""
    labels: Callable[[Iterable[Mapping[str, Any]], str | None], Labels] = no_labels
    """What all references, and the ``problem_type`` if it is known, say of the model; no labels are a ``DataError``."""
    options: Callable[[Iterable[Mapping[str, Any]], ModelFacts], Mapping[str, Any]] = no_options
    """The task's options that all references tell, with which the model is measured and used from then on."""
    measure: Callable[[np.ndarray, np.ndarray, ModelConfig], Mapping[str, float]] | None = None
    """The scores of logits and targets alone, (rows, …), where answers can be told without the text."""
    arranged: Callable[[Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]] = as_they_are
    """All rows in the one form that is read, where people have them in several; rows that have it already stay as they are."""
    objective: str | None = None
    """What is learnt, where that is not what the model's head always learns."""
    by_all_tokens: Callable[..., Sequence[Example]] | None = None
    """For tasks that label words: from the ``examples`` of an input, the input, the facts and ``inside`` (whether further tokens
    have the label of an inside) to examples in which all tokens of a word are learnt, not the first alone."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task: its names, the head it needs, its options, and how it is prepared for a model."""

    name: str
    summary: str
    head: HeadName
    options: type[TaskOptions]
    prepare: Callable[[ModelFacts, Any], Prepared]
    aliases: tuple[str, ...] = ()
    training: Training | None = None
    read_call: ReadCall = one_input
    """How the arguments of a pipeline's call become inputs and options."""
    table: TableForm = TEXTS
    """How the rows of a table become inputs."""
    evaluation: Evaluation | None = None
    """How answers are measured against references, where there is a measure."""
    translate: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    """Options as other libraries call them, under the names that they have here."""
    learning: "Task | None" = None
    """How it is learnt and measured meanwhile, where rows are others than those that it is used with."""
    only_token: Callable[["Tokenizer"], int | None] | None = None
    """The id of the only tokens whose outputs the task reads, where there is one: engines then need not compute the others'."""

    def choose(self, values: Mapping[str, Any]) -> TaskOptions:
        """The options with these values. What transformers' tokenizers take is understood or refused (``spellings``)."""
        known = [field.name for field in dataclasses.fields(self.options)]
        given = {name: plain(value) for name, value in in_our_words(self.translate(values), known).items()}
        for name in given:
            if name not in known:
                raise TaskError(f"{self.name} has no option {name!r}. Its options are {', '.join(known)}.{closest(name, known)}")
        check_choices(self.options, given)
        return self.options.from_dict(given)

    @property
    def as_learnt(self) -> "Task":
        """The task by whose rows and measure this one is learnt; itself for most."""
        return self.learning or self

    def trainable(self) -> Training:
        """The training side; a task without one is an error that says so."""
        if self.learning is not None:
            return self.learning.trainable()
        if self.training is None:
            from headway.tasks import task, task_names

            learning = ", ".join(name for name in task_names() if task(name).training or task(name).learning)
            raise TaskError(
                f"{self.name} does not learn from labelled rows. Tasks that do: {learning}. Masked language "
                "models are made by pre-training."
            )
        return self.training


def plain(value: Any) -> Any:
    """A number, text or switch of NumPy as Python's: they often come out of arrays."""
    return value.item() if isinstance(value, np.generic) else value


def check_choices(options: type[TaskOptions], given: Mapping[str, Any]) -> None:
    """Refuse a value that is not among those that its field's ``Literal`` lists, and what is no switch where one belongs."""
    for name, hint in typing.get_type_hints(options).items():
        members = (hint,) if typing.get_origin(hint) in (Literal, None) else typing.get_args(hint)
        if bool in members and name in given:
            check_truth(name, given[name])
        known = [choice for member in members if typing.get_origin(member) is Literal for choice in typing.get_args(member)]
        if known and name in given and given[name] not in (*known, *([None] if type(None) in members else [])):
            raise TaskError(
                f"{name} is {given[name]!r}, which is no choice of this task's; known are {', '.join(map(str, known))}."
            )


def check_truth(name: str, value: Any) -> None:
    """Refuse what is neither true nor false, such as the word "false"."""
    if not isinstance(value, bool | int | None):
        raise TaskError(f"{name} is {value!r}, but it is on or off. Use True or False.")


def check_count(name: str, value: Any) -> None:
    """Refuse a number of answers that is neither a positive whole number nor None."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise TaskError(f"{name} is {value!r}, but it counts answers. Use a whole number from 1 on, or None for all.")
