"""From a stream of inputs to a stream of answers, in order, with every core busy and little in memory.

Inputs are read a window at a time; within a window texts of like length share a batch. While one window is computed the next is
tokenised, and its batches wait behind the others, so that no worker stands idle between windows. What is decided, is decided by
functions without threads: ``window_sizes`` and ``plan``.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from headway.core.batching import plan_batches
from headway.errors import HeadwayError
from headway.inference.engine import Engine
from headway.tasks import Encoded, Prepared

FIRST_WINDOW, LARGEST_WINDOW = 64, 1024
"""Texts looked at together: enough to find company of like length; few at first where they come from a generator, so that
answers come soon."""

WINDOWS_AT_ONCE = 2

BATCH_COST = 8
"""What starting a batch costs, in tokens."""


@dataclass(frozen=True)
class Plan:
    """Which texts of a window share a batch; ``alone`` where a single batch is all there is to do."""

    batches: list[list[int]]
    alone: bool


@dataclass(frozen=True)
class Answered:
    """One input's answer, and how many tokens were read for it."""

    answer: Any
    tokens: int


Place: TypeAlias = Answered | HeadwayError
Pending: TypeAlias = HeadwayError | tuple["Future[list[Place]]", int]


def window_sizes(*, sized: bool) -> Iterator[int]:
    """How many inputs to look at: from a list as many as allowed, from a generator each window twice the one before."""
    size = LARGEST_WINDOW if sized else FIRST_WINDOW
    while True:
        yield size
        size = min(2 * size, LARGEST_WINDOW)


def plan(lengths: Sequence[int], *, token_budget: int, workers: int, max_texts: int | None = None, others: bool = False) -> Plan:
    """Batches for these texts, longest first; all the texts there are, shared out so that the workers end together.

    ``others`` says that there are more windows than this one: then no worker can end early, and batches are as full as may be.
    """
    if others or not lengths:
        return Plan(plan_batches(lengths, max_tokens=token_budget, max_texts=max_texts), alone=False)
    equal_tokens, equal_texts = -(-sum(lengths) // workers), -(-len(lengths) // workers) * max(lengths)
    budgets = sorted({min(token_budget, budget) for budget in (token_budget, equal_tokens, equal_texts)}, reverse=True)
    plans = [plan_batches(lengths, max_tokens=max(1, budget), max_texts=max_texts) for budget in budgets]
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
    items: Iterable[Any], prepared: Prepared, engine: Engine, *, max_texts: int | None = None, numbered: bool = True
) -> Iterator[Answered]:
    """The answers to the items, in order. An item that cannot be read, or answered, raises where its answer would have come.

    ``numbered`` errors say at which item, counted from 0.
    """
    for number, found in enumerate(places(items, prepared, engine, max_texts=max_texts)):
        if isinstance(found, HeadwayError):
            raise _numbered(found, number) if numbered else found
        yield found


def places(items: Iterable[Any], prepared: Prepared, engine: Engine, *, max_texts: int | None = None) -> Iterator[Place]:
    """An answer or an error for each item, in order."""
    windows = read_windows(items)
    first = next(windows, None)
    if first is None:
        return
    encoded = encode_each(first.items, prepared)
    if first.last:
        chosen = _plan(encoded, engine, max_texts, others=False)
        if chosen.alone or not chosen.batches:
            yield from _answer_here(encoded, chosen, prepared, engine)
            return
    with _Workers(prepared, engine, max_texts) as workers:
        yield from workers.answers(encoded, windows, last=first.last)


@dataclass(frozen=True)
class Window:
    """Some inputs that follow one another; ``last`` where they are known to be the end."""

    items: list[Any]
    last: bool


def read_windows(items: Iterable[Any]) -> Iterator[Window]:
    """The inputs in windows; each is read only when it is asked for."""
    source = iter(items)
    for size in window_sizes(sized=isinstance(items, Sized)):
        window = list(islice(source, size))
        if window:
            yield Window(window, last=len(window) < size)
        if len(window) < size:
            return


def encode_each(items: Sequence[Any], prepared: Prepared) -> list[Encoded | HeadwayError]:
    """Every item as the model reads it, or the error that it raised; all at once where there is none."""
    try:
        return list(prepared.encode(items))
    except HeadwayError as error:
        if len(items) == 1:
            return [error]
    return [encode_each([item], prepared)[0] for item in items]


class _Workers:
    """The threads that run batches, with at most ``WINDOWS_AT_ONCE`` windows under way."""

    def __init__(self, prepared: Prepared, engine: Engine, max_texts: int | None) -> None:
        self.prepared, self.engine, self.max_texts = prepared, engine, max_texts
        self.pool = ThreadPoolExecutor(engine.workers, thread_name_prefix="headway-batch")

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(cancel_futures=True)

    def answers(self, first: list[Encoded | HeadwayError], windows: Iterator[Window], *, last: bool) -> Iterator[Place]:
        under_way = deque([self.submit(first, others=not last)])
        for window in windows:
            under_way.append(self.submit(encode_each(window.items, self.prepared), others=True))
            if len(under_way) >= WINDOWS_AT_ONCE:
                yield from _in_order(under_way.popleft())
        while under_way:
            yield from _in_order(under_way.popleft())

    def submit(self, encoded: list[Encoded | HeadwayError], *, others: bool) -> list[Pending]:
        pending: dict[int, Pending] = {index: found for index, found in enumerate(encoded) if isinstance(found, HeadwayError)}
        for batch in _plan(encoded, self.engine, self.max_texts, others=others).batches:
            texts = [found for index in batch if isinstance(found := encoded[index], Encoded)]
            future = self.pool.submit(answer_batch, texts, self.prepared, self.engine)
            pending |= {index: (future, place) for place, index in enumerate(batch)}
        return [pending[index] for index in range(len(encoded))]


def answer_batch(texts: Sequence[Encoded], prepared: Prepared, engine: Engine, *, alone: bool = False) -> list[Place]:
    """The answers to one batch. Decoded at once, so that large outputs do not pile up while they wait for their turn."""
    outputs = engine.run([text.tokens for text in texts], alone=alone)
    return [_attempt(prepared.decode, found, text) for found, text in zip(outputs, texts, strict=True)]


def _attempt(decode: Callable[[Any, Encoded], Any], outputs: Any, text: Encoded) -> Place:
    try:
        return Answered(decode(outputs, text), len(text.tokens))
    except HeadwayError as error:
        return error


def _plan(encoded: Sequence[Encoded | HeadwayError], engine: Engine, max_texts: int | None, *, others: bool) -> Plan:
    readable = [index for index, found in enumerate(encoded) if isinstance(found, Encoded)]
    lengths = [len(found.tokens) for found in encoded if isinstance(found, Encoded)]
    chosen = plan(lengths, token_budget=engine.token_budget, workers=engine.workers, max_texts=max_texts, others=others)
    return Plan([[readable[place] for place in batch] for batch in chosen.batches], chosen.alone)


def _answer_here(encoded: Sequence[Encoded | HeadwayError], chosen: Plan, prepared: Prepared, engine: Engine) -> Iterator[Place]:
    """Without threads: there is one batch, or none."""
    found: dict[int, Place] = {index: error for index, error in enumerate(encoded) if isinstance(error, HeadwayError)}
    for batch in chosen.batches:
        texts = [text for index in batch if isinstance(text := encoded[index], Encoded)]
        found |= zip(batch, answer_batch(texts, prepared, engine, alone=True), strict=True)
    for index in range(len(encoded)):
        yield found[index]


def _in_order(window: Sequence[Pending]) -> Iterator[Place]:
    for found in window:
        yield found if isinstance(found, HeadwayError) else found[0].result()[found[1]]


def _numbered(error: HeadwayError, number: int) -> HeadwayError:
    said = type(error)(f"Input {number}: {error}")
    said.__cause__ = error
    return said
