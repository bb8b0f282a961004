"""A request on its way through the engine room: its sequences, what came of each, and when it is done."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from headway.core.batching import TokenSequence
from headway.errors import HeadwayError
from headway.inference.schedule import Answered, Place, encode_each
from headway.serving.batching import Waiting, due_times
from headway.serving.exchange import Answers, Ask, Timings
from headway.serving.loaded import Loaded
from headway.serving.refusals import RefusedError
from headway.tasks import Encoded, Prepared

MOST_CHARACTERS = 2000
"""Characters of a request up to which it is encoded together with others; longer ones would keep these waiting."""


@dataclass(eq=False, kw_only=True)
class Job:
    """One ask. A worker encodes it, workers run its sequences, whoever finishes the last one makes its answers."""

    ask: Ask
    task: str
    model: Loaded
    prepared: Prepared
    due: float
    waiter: Any = None
    """What waits for the job, for those who deliver it."""
    is_gone: bool = False
    """Nobody waits for the answer any more."""
    is_apart: bool = False
    """It is encoded by itself, because encoding it with others did not succeed."""
    failure: HeadwayError | None = None
    """Why none of it could be answered."""
    encoded: list[Encoded | HeadwayError] = field(default_factory=list)
    parts: list[list[Any]] = field(default_factory=list)
    left: int = 0
    places: list[Place] = field(default_factory=list)
    submitted: float = field(default_factory=time.monotonic)
    encode_began: float = 0.0
    encoded_in: float = 0.0
    began: float = 0.0
    ran_in: float = 0.0
    ended: float = 0.0
    decode_began: float = 0.0
    decoded_in: float = 0.0

    def pieces(self, encoded: "list[Encoded | HeadwayError]", *, seconds: float) -> "list[Piece]":
        """The sequences of all inputs, which took so long to encode; those that cannot be read are kept as errors."""
        self.encoded, self.encoded_in, self.encode_began = encoded, seconds, time.monotonic() - seconds
        self.parts = [[] if isinstance(found, HeadwayError) else [None] * len(found.sequences) for found in encoded]
        dues = due_times(self.due, [len(tokens) for found in encoded if isinstance(found, Encoded) for tokens in found.sequences])
        pieces = [
            Piece(self, index, part, tokens, Waiting(len(tokens), next(dues)))
            for index, found in enumerate(encoded)
            if isinstance(found, Encoded)
            for part, tokens in enumerate(found.sequences)
        ]
        self.left = len(pieces)
        return pieces

    def answers(self) -> Answers:
        """What the dialect gets."""
        total = time.monotonic() - self.ask.arrived
        begun = max(0.0, self.began - self.ask.arrived - self.encoded_in) if self.began else 0.0
        return Answers(
            served=self.model.served,
            task=self.task,
            places=self.places,
            timings=Timings(tokenization=self.encoded_in, queue=begun, inference=self.ran_in, total=total),
            prepared=self.prepared,
            given=frozenset(self.ask.options),
        )

    def answer(self) -> None:
        """Make the answers from what came of the sequences."""
        self.decode_began = time.monotonic()
        self.places = [self.place(index) for index in range(len(self.encoded))]
        self.decoded_in = time.monotonic() - self.decode_began

    def place(self, index: int) -> Place:
        """The answer to one input, or the error that it met."""
        found, parts = self.encoded[index], self.parts[index]
        if isinstance(found, HeadwayError):
            return found
        if error := next((part for part in parts if isinstance(part, HeadwayError)), None):
            return error
        try:
            return Answered(self.prepared.decode(parts, found), found.tokens, found.dropped)
        except HeadwayError as error:
            return error


@dataclass(eq=False, slots=True)
class Piece:
    """One sequence of a job: of which input it is, and which of that input's."""

    job: Job
    index: int
    part: int
    tokens: TokenSequence
    waiting: Waiting


def companies(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs that are encoded together: short ones with the same task and options."""
    found: dict[tuple[int, int], list[Job]] = {}
    for number, job in enumerate(jobs):
        is_short = not job.is_apart and sum(map(characters, job.ask.items)) <= MOST_CHARACTERS
        found.setdefault((id(job.prepared), -1 if is_short else number), []).append(job)
    return list(found.values())


def characters(item: Any) -> int:
    """How long an input is, in characters or tokens; a large number where it is not seen at once."""
    if isinstance(item, str | TokenSequence):
        return len(item)
    return sum(map(characters, item.values())) if isinstance(item, dict) else MOST_CHARACTERS + 1


def encode_together(jobs: Sequence[Job]) -> "list[list[Piece]]":
    """The sequences of jobs with the same task and options, those of each job by itself."""
    began = time.monotonic()
    found = encode([item for job in jobs for item in job.ask.items], jobs[0].prepared)
    seconds, place, pieces = time.monotonic() - began, 0, list[list[Piece]]()
    for job in jobs:
        pieces.append(job.pieces(found[place : place + len(job.ask.items)], seconds=seconds))
        place += len(job.ask.items)
    return pieces


def encode(items: Sequence[Any], prepared: Prepared) -> list[Encoded | HeadwayError]:
    """Inputs as the model reads them; token ids are read as they are."""
    texts = [item for item in items if not isinstance(item, TokenSequence)]
    if len(texts) == len(items):
        return encode_each(texts, prepared)
    rest = iter(encode_each(texts, prepared))
    return [Encoded((item,)) if isinstance(item, TokenSequence) else next(rest) for item in items]


def run_pieces(pieces: Sequence[Piece], *, alone: bool) -> HeadwayError | None:
    """Run sequences of one model as a batch, and keep of each what its task wants; or the error of a batch that cannot run."""
    began = time.monotonic()
    engine = pieces[0].job.model.engine
    try:
        outputs = engine.run([piece.tokens for piece in pieces], alone=alone)
    except HeadwayError as error:
        return error
    took = time.monotonic() - began
    for piece, found in zip(pieces, outputs, strict=True):
        job = piece.job
        encoded = job.encoded[piece.index]
        assert isinstance(encoded, Encoded)
        job.began = job.began or began
        job.ran_in = max(job.ran_in, took)
        job.ended = began + took
        try:
            job.parts[piece.index][piece.part] = job.prepared.reduce(found, encoded, part=piece.part)
        except HeadwayError as error:
            job.parts[piece.index][piece.part] = error
    return None


def expired(ask: Ask) -> RefusedError:
    """The refusal of a request whose time is over."""
    return RefusedError(
        f"The answer was not there within the {ask.timeout:g} seconds that the request allows (X-Request-Timeout). Allow more, "
        "or ask again when the server has less to do.",
        reason="expired",
    )
