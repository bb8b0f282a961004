"""Which waiting sequences run next, together: decided from their lengths and times alone, without threads or a clock.

A worker that is free takes what there is, so that a lone request never waits for company. Whoever is due first leads, and others
of like length come along. Unusual: a priority is nothing but a head start in seconds, so that nobody waits for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HEAD_STARTS: Mapping[str, float] = {"high": 1.0, "normal": 0.0, "low": -10.0}
"""Seconds that a request counts as older, by its priority."""

MOST_PADDING = 0.25
"""The share of a batch's tokens that may be padding."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sequence that waits: how many tokens it has, and when it is due in seconds of any clock."""

    tokens: int
    due: float


def due_time(arrived: float, *, priority: str, deadline: float | None = None) -> float:
    """When a request counts as due: its arrival less its head start, or its deadline if that is sooner."""
    due = arrived - HEAD_STARTS[priority]
    return due if deadline is None else min(due, deadline)


def next_batch(waiting: Sequence[Waiting], *, token_budget: int, free_workers: int = 1) -> list[int]:
    """The places of those that run now; never empty unless nobody waits.

    Who is due first leads; then come those of the nearest lengths, the sooner due first among equals, while all fit the budget
    after padding and at most ``MOST_PADDING`` of it is padding. A sequence larger than the budget runs alone. What waits is
    shared out among the workers that are free.
    """
    if not waiting:
        return []
    leader = min(range(len(waiting)), key=lambda place: (waiting[place].due, place))
    length = waiting[leader].tokens
    share = -(-sum(one.tokens for one in waiting) // free_workers)
    budget = min(token_budget, max(share, length))
    chosen, total, longest = [leader], length, length
    company = sorted(
        (abs(one.tokens - length), one.due, place)
        for place, one in enumerate(waiting)
        if place != leader and one.tokens <= budget
    )
    for _, _, place in company:
        tokens = waiting[place].tokens
        padded = (len(chosen) + 1) * max(longest, tokens)
        if padded <= budget and padded - total - tokens <= MOST_PADDING * padded:
            chosen.append(place)
            total, longest = total + tokens, max(longest, tokens)
    return chosen


def next_queue(used: Sequence[float], waiting: Sequence[int]) -> int | None:
    """The queue whose turn it is: of those in which somebody waits the one that has used least; None where nobody waits."""
    busy = [place for place, count in enumerate(waiting) if count]
    return min(busy, key=lambda place: (used[place], place), default=None)


def caught_up(own: float, others: Sequence[float]) -> float:
    """What a queue that was empty counts as having used: it saves no turns up for later."""
    return max(own, min(others, default=own))
