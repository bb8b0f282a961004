"""From a stream of inputs to a stream of answers, in order, with every core busy and little in memory.

Inputs are read a window at a time; within a window sequences of like length share a batch, whichever inputs they are of. While
one window is computed the next is tokenised, and its batches wait behind the others, so that no worker stands idle between
windows. A window holds only so many texts and so many tokens, and what is large is made into an answer only when its turn has
come, so that memory does not depend on how many inputs there are. What is decided, is decided by functions without threads:
``window_sizes``, ``next_count`` and ``plan``.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from headway.core.batching import TokenSequence, plan_batches
from headway.errors import HeadwayError
from headway.inference.engine import Engine
from headway.tasks import Encoded, Prepared

FIRST_WINDOW, LARGEST_WINDOW = 64, 1024
"""Texts looked at together: enough to find company of like length; few at first where they come from a generator, so that
answers come soon."""

WINDOWS_AT_ONCE = 2

WINDOW_TOKENS = 32768
"""Tokens after which a window ends: enough that padding costs less than 1 % more than without such an end."""

FEWEST_TOKENS = 1024
"""No ``most_tokens`` makes batches smaller than this, which is enough for the matrix units of any CPU."""

LARGE = 65536
"""Bytes of a part from which on it waits as it is for its turn: as a list, numbers take eight times the memory."""

BATCH_COST = 8
"""What starting a batch costs, in tokens."""


@dataclass(frozen=True)
class Plan:
    """Which texts of a window share a batch; ``alone`` where a single batch is all there is to do."""

    batches: list[list[int]]
    alone: bool


@dataclass(frozen=True)
class Answered:
    """One input's answer, how many tokens were read for it, and how many were left out where the task counted them."""

    answer: Any
    tokens: int
    dropped: int = 0


Place: TypeAlias = Answered | HeadwayError
Part: TypeAlias = Any
"""What ``reduce`` made of one sequence, or the error that it raised."""
Pending: TypeAlias = HeadwayError | tuple[Encoded, list[tuple["Future[list[Part]]", int]]]


def window_sizes(*, sized: bool) -> Iterator[int]:
    """How many inputs to look at: from a list as many as allowed, from a generator each window twice the one before."""
    size = LARGEST_WINDOW if sized else FIRST_WINDOW
    while True:
        yield size
        size = min(2 * size, LARGEST_WINDOW)


def plan(lengths: Sequence[int], *, token_budget: int, workers: int, others: bool = False) -> Plan:
    """Batches for these texts, longest first; all the texts there are, shared out so that the workers end together.

    ``others`` says that there are more windows than this one: then no worker can end early, and batches are as full as may be.
    """
    if others or not lengths:
        return Plan(plan_batches(lengths, max_tokens=token_budget), alone=False)
    equal_tokens, equal_texts = -(-sum(lengths) // workers), -(-len(lengths) // workers) * max(lengths)
    budgets = sorted({min(token_budget, budget) for budget in (token_budget, equal_tokens, equal_texts)}, reverse=True)
    plans = [plan_batches(lengths, max_tokens=max(1, budget)) for budget in budgets]
    batches = min(plans, key=lambda batches: finish_time(batches, lengths, workers=workers))
    return Plan(batches, alone=len(batches) == 1)


def finish_time(batches: Sequence[Sequence[int]], lengths: Sequence[int], *, workers: int) -> int:
    """When the last worker is done, in padded tokens, if each takes the next batch as soon as it is free."""
    busy_until = [0] * workers
    for batch in batches:
        worker = busy_until.index(min(busy_until))
        busy_until[worker] += BATCH_COST + len(batch) * max(lengths[index] for index in batch)
    return max(busy_until)


def stream(
    items: Iterable[Any], prepared: Prepared, engine: Engine, *, most_tokens: int | None = None, numbered: bool = True
) -> Iterator[Answered]:
    """The answers to the items, in order. An item that cannot be read, or answered, raises where its answer would have come.

    ``numbered`` errors say at which item, counted from 0. ``most_tokens`` is as for ``places``.
    """
    for number, found in enumerate(places(items, prepared, engine, most_tokens=most_tokens)):
        if isinstance(found, HeadwayError):
            raise at_input(found, number) if numbered else found
        yield found


def places(items: Iterable[Any], prepared: Prepared, engine: Engine, *, most_tokens: int | None = None) -> Iterator[Place]:
    """An answer or an error for each item, in order.

    ``most_tokens`` keeps the batches of an engine with a large token budget smaller, where memory is short; it does not make
    them so small that they would be slower on a CPU.
    """
    budget = engine.token_budget if most_tokens is None else min(engine.token_budget, max(most_tokens, FEWEST_TOKENS))
    windows = read_windows(items, prepared, most_tokens=max(WINDOW_TOKENS, 2 * budget))
    first = next(windows, None)
    if first is None:
        return
    if first.last:
        chosen = _plan(sequences_of(first.encoded), engine, budget, others=False)
        if chosen.alone or not chosen.batches:
            yield from _answer_here(first.encoded, chosen, prepared, engine)
            return
    with _Workers(prepared, engine, budget) as workers:
        yield from workers.answers(first, windows)


@dataclass(frozen=True)
class Window:
    """Some inputs that follow one another, as the model reads them; ``last`` where they are known to be the end."""

    encoded: "list[Encoded | HeadwayError]"
    last: bool


def read_windows(items: Iterable[Any], prepared: Prepared, *, most_tokens: int) -> Iterator[Window]:
    """The inputs in windows; each is read only when it is asked for, and ends after so many tokens."""
    source, left = iter(items), len(items) if isinstance(items, Sized) else None
    for size in window_sizes(sized=left is not None):
        encoded: list[Encoded | HeadwayError] = []
        ended, tokens = False, 0
        while not ended and (count := next_count(len(encoded), tokens, size=size, most_tokens=most_tokens)):
            read = list(islice(source, count))
            left = None if left is None else left - len(read)
            ended = len(read) < count or left == 0
            encoded += encode_each(read, prepared)
            tokens = sum(found.tokens for found in encoded if isinstance(found, Encoded))
        if encoded:
            yield Window(encoded, last=ended)
        if ended:
            return


def next_count(read: int, tokens: int, *, size: int, most_tokens: int) -> int:
    """How many more inputs a window takes after ``read`` ones: few at first, then as many as should fit; 0 once it is full."""
    if read == 0:
        return min(FIRST_WINDOW, size)
    if read >= size or tokens >= most_tokens:
        return 0
    usual = max(1.0, tokens / read)
    return min(size - read, math.ceil((most_tokens - tokens) / usual))


def encode_each(items: Sequence[Any], prepared: Prepared) -> list[Encoded | HeadwayError]:
    """Every item as the model reads it, or the error that it raised; all at once where there is none."""
    if not items:
        return []
    try:
        return list(prepared.encode(items))
    except HeadwayError as error:
        if len(items) == 1:
            return [error]
    half = len(items) // 2  # a bad one among many costs the company of few
    return encode_each(items[:half], prepared) + encode_each(items[half:], prepared)


class _Workers:
    """The threads that run batches, with at most ``WINDOWS_AT_ONCE`` windows under way."""

    def __init__(self, prepared: Prepared, engine: Engine, token_budget: int) -> None:
        self.prepared, self.engine, self.token_budget = prepared, engine, token_budget
        self.pool = ThreadPoolExecutor(engine.workers, thread_name_prefix="headway-batch")

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(cancel_futures=True)

    def answers(self, first: Window, windows: Iterator[Window]) -> Iterator[Place]:
        under_way = deque([self.submit(first.encoded, others=not first.last)])
        for window in windows:
            under_way.append(self.submit(window.encoded, others=True))
            if len(under_way) >= WINDOWS_AT_ONCE:
                yield from self.finished(under_way.popleft())
        while under_way:
            yield from self.finished(under_way.popleft())

    def submit(self, encoded: list[Encoded | HeadwayError], *, others: bool) -> list[Pending]:
        sequences = sequences_of(encoded)
        futures: dict[tuple[int, int], tuple[Future[list[Part]], int]] = {}
        for batch in _plan(sequences, self.engine, self.token_budget, others=others).batches:
            chosen = [sequences[index] for index in batch]
            future = self.pool.submit(run_batch, chosen, encoded, self.prepared, self.engine)
            futures |= {sequence.place: (future, row) for row, sequence in enumerate(chosen)}
        return [
            found if isinstance(found, HeadwayError) else (found, [futures[index, part] for part in range(len(found.sequences))])
            for index, found in enumerate(encoded)
        ]

    def finished(self, window: Sequence[Pending]) -> Iterator[Place]:
        """The answers of a window, each as soon as all its sequences have run."""
        for found in window:
            if isinstance(found, HeadwayError):
                yield found
            else:
                encoded, futures = found
                yield _answer([future.result()[row] for future, row in futures], encoded, self.prepared)


@dataclass(frozen=True)
class Placed:
    """A sequence, and which input's and which of its sequences it is."""

    tokens: TokenSequence
    place: tuple[int, int]


def sequences_of(encoded: Sequence[Encoded | HeadwayError]) -> list[Placed]:
    """The sequences of all inputs that could be read."""
    return [
        Placed(tokens, (index, part))
        for index, found in enumerate(encoded)
        if isinstance(found, Encoded)
        for part, tokens in enumerate(found.sequences)
    ]


def run_batch(
    sequences: Sequence[Placed],
    encoded: Sequence[Encoded | HeadwayError],
    prepared: Prepared,
    engine: Engine,
    *,
    alone: bool = False,
) -> list[Part]:
    """What is kept of one batch's outputs. Reduced at once, so that large outputs do not pile up while they wait for their turn.

    An input of a single sequence is answered here, by the thread that ran it, unless what was kept of it is large.
    """
    outputs = engine.run([sequence.tokens for sequence in sequences], alone=alone)
    return [_reduced(found, encoded, *sequence.place, prepared) for found, sequence in zip(outputs, sequences, strict=True)]


def _reduced(outputs: Any, encoded: Sequence[Encoded | HeadwayError], index: int, part: int, prepared: Prepared) -> Part:
    text = encoded[index]
    assert isinstance(text, Encoded)
    try:
        found = prepared.reduce(outputs, text, part=part)
    except HeadwayError as error:
        return error
    return found if len(text.sequences) > 1 or _is_large(found) else _answer([found], text, prepared)


def _is_large(part: Part) -> bool:
    return isinstance(part, np.ndarray) and part.nbytes >= LARGE


def _answer(parts: Sequence[Part], encoded: Encoded, prepared: Prepared) -> Place:
    """The answer to an input from its parts; one that was answered already stays."""
    if len(parts) == 1 and isinstance(parts[0], Answered):
        return parts[0]
    if error := next((part for part in parts if isinstance(part, HeadwayError)), None):
        return error
    try:
        return Answered(prepared.decode(parts, encoded), encoded.tokens, encoded.dropped)
    except HeadwayError as error:
        return error


def _plan(sequences: Sequence[Placed], engine: Engine, token_budget: int, *, others: bool) -> Plan:
    lengths = [len(sequence.tokens) for sequence in sequences]
    return plan(lengths, token_budget=token_budget, workers=engine.workers, others=others)


def _answer_here(encoded: Sequence[Encoded | HeadwayError], chosen: Plan, prepared: Prepared, engine: Engine) -> Iterator[Place]:
    """Without threads: there is one batch, or none."""
    sequences, parts = sequences_of(encoded), dict[tuple[int, int], Part]()
    for batch in chosen.batches:
        batched = [sequences[index] for index in batch]
        found = run_batch(batched, encoded, prepared, engine, alone=True)
        parts |= zip((sequence.place for sequence in batched), found, strict=True)
    for index, text in enumerate(encoded):
        if isinstance(text, HeadwayError):
            yield text
        else:
            yield _answer([parts[index, part] for part in range(len(text.sequences))], text, prepared)


def at_input(error: HeadwayError, number: int) -> HeadwayError:
    """The error with the place of its input, counted from 0, before its words; whatever else it carries stays."""
    said = type(error).__new__(type(error), f"Input {number}: {error}")
    said.__dict__.update(error.__dict__)
    said.__cause__ = error
    return said
