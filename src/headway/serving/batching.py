"""Which waiting sequences run next, together: decided from their lengths and times alone, without threads or a clock.

A worker that is free takes what there is, so that a lone request never waits for company. Whoever is due first leads, and others
come along as long as that makes a token cheaper. Unusual: a priority is nothing but a head start in seconds, so that nobody waits
for ever.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

HEAD_STARTS: Mapping[str, float] = {"high": 1.0, "normal": 0.0, "low": -10.0}
"""Seconds that a request counts as older, by its priority."""

AT_ONCE, SPEED = 16384, 1000.0
"""Tokens of one request that are due at once, and how many of the rest a second: one with very many lets others pass."""

BATCH_COST = 16
"""What running a batch costs beside its tokens, in tokens: measured with the classifier that ships."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sequence that waits: how many tokens it has, and when it is due in seconds of any clock."""

    tokens: int
    due: float


def due_time(arrived: float, *, priority: str, deadline: float | None = None) -> float:
    """When a request counts as due: its arrival less its head start, or its deadline if that is sooner."""
    due = arrived - HEAD_STARTS[priority]
    return due if deadline is None else min(due, deadline)


def due_times(due: float, lengths: Sequence[int]) -> Iterator[float]:
    """When each sequence of a request is due, from its lengths: the later, the more tokens of it come before."""
    before = 0
    for length in lengths:
        yield due + max(0, before - AT_ONCE) / SPEED
        before += length


def next_batch(waiting: Sequence[Waiting], *, token_budget: int, free_workers: int = 1) -> list[int]:
    """The places of those that run now; never empty unless nobody waits.

    Who is due first leads, and is padded for if need be. Of all batches with the leader that fit the budget after padding, it is
    the one in which a token costs least: padding costs as much as tokens, and each batch ``BATCH_COST`` tokens more. A sequence
    larger than the budget runs alone. What waits is shared out among the workers that are free.
    """
    if not waiting:
        return []
    lengths, dues = [one.tokens for one in waiting], [one.due for one in waiting]
    leader = dues.index(min(dues))
    length = lengths[leader]
    share = -(-sum(lengths) // free_workers) + max(lengths) - 1
    budget = token_budget if free_workers == 1 else min(token_budget, share)
    order = sorted(range(len(waiting)), key=lengths.__getitem__, reverse=True)
    order.remove(leader)
    chosen, best = list[int](), 0.0
    for begin, longest in _beginnings(order, lengths, leader=length, budget=budget):
        count, worth = _company([lengths[place] for place in order[begin : begin + budget // longest]], length, longest, budget)
        if worth > best:
            chosen, best = order[begin : begin + count], worth
    return sorted([leader, *chosen])


def _beginnings(order: Sequence[int], lengths: Sequence[int], *, leader: int, budget: int) -> Iterator[tuple[int, int]]:
    """Where in the order, the longest first, the company of a leader may begin, and how long the longest of the batch is then.

    Who is much longer than the leader would pad it too much to be of use.
    """
    farthest, last = min(leader + max(BATCH_COST, leader // 8), budget // 2), 0
    for begin in range(bisect_left(order, -farthest, key=lambda place: -lengths[place]), len(order)):
        longest = max(lengths[order[begin]], leader)
        if longest != last:
            yield begin, longest
        last = longest
        if longest == leader:
            return


def _company(others: Sequence[int], leader: int, longest: int, budget: int) -> tuple[int, float]:
    """How many of the others, the longest first, come along; and which share of what the batch costs is of use."""
    used, cost, count = leader, longest + BATCH_COST, 0
    for tokens in others:
        is_worse = tokens * cost < longest * used  # less of what it adds is of use than of what is there
        if is_worse or (count + 2) * longest > budget:
            break
        used, cost, count = used + tokens, cost + longest, count + 1
    return count, used / cost


def next_queue(used: Sequence[float], waiting: Sequence[int]) -> int | None:
    """The queue whose turn it is: of those in which somebody waits the one that has used least; None where nobody waits."""
    busy = [place for place, count in enumerate(waiting) if count]
    return min(busy, key=lambda place: (used[place], place), default=None)


def caught_up(own: float, others: Sequence[float]) -> float:
    """What a queue that was empty counts as having used: it saves no turns up for later."""
    return max(own, min(others, default=own))
