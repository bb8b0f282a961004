"""What passes between dialects and the engine room: who is served, what is asked, what is answered."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from headway.errors import HeadwayError
from headway.inference.schedule import Place, at_input
from headway.tasks import Call, ModelFacts, Prepared

if TYPE_CHECKING:
    from headway.architecture import ModelConfig
    from headway.text import Tokenizer

Priority: TypeAlias = Literal["high", "normal", "low"]


@dataclass(frozen=True, kw_only=True)
class Served:
    """A model that is served, and what may be told of it."""

    name: str
    """What requests call it."""
    task: str
    """What it does unless another of its ``tasks`` is asked for."""
    tasks: tuple[str, ...]
    """All that can be asked of it, its own task first."""
    version: str
    """A fingerprint of its files: 64 hexadecimal digits."""
    precision: str
    """What it computes in: fp32 or int8."""
    max_tokens: int
    """Tokens of one sequence that it reads at most, special ones included."""
    facts: ModelFacts
    """Its tokenizer, configuration and folder. The folder is never told to a client."""
    revision: str | None = None
    """The commit, where it came from the Hub."""
    loaded_at: float = 0.0
    """When it began to be served, in seconds since 1970."""

    @property
    def tokenizer(self) -> "Tokenizer":
        """The model's own; threads may share it."""
        return self.facts.tokenizer

    @property
    def config(self) -> "ModelConfig":
        """The model's configuration."""
        return self.facts.config

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels, in the model's order; of use for models with a classifier."""
        return tuple(self.config.id2label.values())


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a request wants answered.

    ``items`` are one or more inputs as ``pipeline()`` reads them (a text, ``{"text", "text_pair"}``, ``{"question", "context"}``
    …), or for tasks with one sequence an input the token ids themselves, as ``TokenSequence``. ``options`` are the task's, under
    the names that ``pipeline()`` takes.
    """

    items: Sequence[Any]
    task: str | None = None
    """A task's name or alias; None for the model's own."""
    model: str | None = None
    """The name of a served model; None for the first one that does the task."""
    options: Mapping[str, Any] = field(default_factory=dict)
    priority: Priority = "normal"
    timeout: float | None = None
    """Seconds after ``arrived`` from which on the answer is of no use."""
    request_id: str = ""
    arrived: float = field(default_factory=time.monotonic)
    """When the request arrived, by the monotonic clock."""


class Timings(NamedTuple):
    """What an answer took, in seconds: means over its inputs, but for ``total``, which runs from arrival to the last answer."""

    tokenization: float = 0.0
    queue: float = 0.0
    inference: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came of an ``Ask``: for each of its items, in order, an answer or the error that it met."""

    served: Served
    task: str
    places: Sequence[Place]
    timings: Timings
    prepared: Prepared
    given: frozenset[str] = frozenset()
    """The options that the request gave, on which the form of an answer may depend."""

    @cached_property
    def tokens(self) -> int:
        """Tokens that the model read, special ones included."""
        return sum(0 if isinstance(place, HeadwayError) else place.tokens for place in self.places)

    def plain(self) -> list[Any]:
        """Each item's answer in its plain form, as ``Pipeline.stream`` gives it; the first error is raised."""
        for number, place in enumerate(self.places):
            if isinstance(place, HeadwayError):
                raise place if len(self.places) == 1 else at_input(place, number)
        return [place.answer for place in self.places if not isinstance(place, HeadwayError)]

    def presented(self, kind: Literal["text", "item", "list"]) -> Any:
        """What ``pipeline()`` returns for a lone text, one input of another form, or a list; the first error is raised."""
        answers = self.plain()
        return self.prepared.present(answers, Call(kind, self.given, self.given)) if answers else []
