"""Counters in Prometheus' text format, summed over the processes of a server.

Written here: a client library would add a dependency for what is a table of numbers, and joins processes by files on the disk,
which somebody has to clear away.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from headway.serving.board import Board, Key, Labels

if TYPE_CHECKING:
    from headway.serving.jobs import Job

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

COUNTERS = {
    "headway_requests_total": "Requests to models, by outcome.",
    "headway_tokens_total": "Tokens read, special ones included.",
    "headway_inputs_total": "Inputs answered.",
    "headway_dropped_total": "Requests whose client went away before they were answered.",
    "headway_padding_tokens_total": "Tokens of batches that were padding.",
    "headway_batch_tokens_total": "Tokens of batches, padding included.",
    "headway_batch_seconds_total": "Seconds that workers computed.",
    "headway_http_responses_total": "HTTP responses, by status.",
}
GAUGES = {
    "headway_queue_requests": "Requests that are not answered yet.",
    "headway_queue_sequences": "Sequences that wait for a batch.",
    "headway_queue_tokens": "Tokens that wait for a batch.",
}
HISTOGRAMS: Mapping[str, tuple[str, Sequence[float]]] = {
    "headway_batch_size": ("Sequences of a batch.", TEXTS),
    "headway_queue_seconds": ("From a request's arrival to the start of its first batch, without tokenizing.", SECONDS),
    "headway_request_seconds": ("From a request's arrival to its answer.", SECONDS),
}
"""What is said of each, and the edges of its buckets."""


class Counters:
    """What is counted while models are served. Safe to use from several threads.

    With a ``board`` this process counts in its part ``own``; what its predecessor counted there goes on, but for what waited.
    """

    def __init__(self, board: Board | None = None, *, own: int = 0) -> None:
        self._board = board or Board()
        self._own = self._board.parts[own]
        self._cells = self._own.cells
        self._lock = threading.Lock()
        self._places = dict[Key, int]()
        self._request_places = dict[tuple[str, str, str], Sequence[int]]()
        """Where requests are counted, by model, task and outcome: found at once, since every request looks for it."""
        for (name, labels), values in self._own.read():
            if name in GAUGES:
                self._cells[self._place(name, labels, len(values))] = 0.0
        self._under_way = self._place("headway_queue_requests", (), 1)

    def count_batch(self, lengths: Sequence[int], *, model: str, seconds: float) -> None:
        """A batch that ran: its sequences' tokens, and how long it took."""
        labels, padded = (("model", model),), len(lengths) * max(lengths)
        with self._lock:
            self._add("headway_batch_tokens_total", labels, padded)
            self._add("headway_padding_tokens_total", labels, padded - sum(lengths))
            self._add("headway_batch_seconds_total", labels, seconds)
            self._observe(self._histogram("headway_batch_size", labels), TEXTS, len(lengths))

    def count_request(self, job: "Job", *, outcome: str, seconds: float, queued: float, tokens: int) -> None:
        """A request that was answered or refused."""
        key, cells = (job.model.served.name, job.task, outcome), self._cells
        with self._lock:
            requests, read, inputs, took, waited = self._request_places.get(key) or self._places_of_requests(*key)
            cells[requests] += 1
            cells[read] += tokens
            cells[inputs] += len(job.ask.items)
            self._observe(took, SECONDS, seconds)
            self._observe(waited, SECONDS, queued)

    def count_refused(self, outcome: str, *, model: str, task: str) -> None:
        """A request that was refused before it could wait."""
        with self._lock:
            self._add("headway_requests_total", (("model", model), ("task", task), ("outcome", outcome)), 1)

    def count_dropped(self, job: "Job") -> None:
        """A request that nobody waits for any more."""
        with self._lock:
            self._add("headway_dropped_total", (("model", job.model.served.name),), 1)

    def count_response(self, status: int) -> None:
        """An HTTP response."""
        with self._lock:
            self._add("headway_http_responses_total", (("status", str(status)),), 1)

    def count_under_way(self, more: int) -> None:
        """So many requests more, or fewer, are under way."""
        with self._lock:
            self._cells[self._under_way] += more

    def count_waiting(self, sequences: int, tokens: int, *, model: str) -> None:
        """So many sequences more, or fewer, wait for a batch."""
        labels = (("model", model),)
        with self._lock:
            self._add("headway_queue_sequences", labels, sequences)
            self._add("headway_queue_tokens", labels, tokens)

    def sum(self, name: str) -> float:
        """What this process counted under a name, over all its labels."""
        with self._lock:
            places = [place for (known, _), place in self._places.items() if known == name]
            return float(sum(self._cells[place] for place in places))

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All numbers, summed over the processes, and gauges given by name with what they say."""
        with self._lock:
            found = self._summed()
        lines = list[str]()
        for name, by_labels in sorted(found.items()):
            if name in HISTOGRAMS:
                lines += _histogram(name, by_labels)
            else:
                kind, said = ("gauge", GAUGES[name]) if name in GAUGES else ("counter", COUNTERS[name])
                lines += _block(name, kind, said, {labels: values[0] for labels, values in by_labels.items()})
        for name, (said, value) in gauges.items():
            lines += _block(name, "gauge", said, {(): value})
        return "\n".join(lines) + "\n"

    def _summed(self) -> Mapping[str, Mapping[Labels, Sequence[float]]]:
        found: dict[str, dict[Labels, Sequence[float]]] = defaultdict(dict)
        for part in self._board.parts:
            for (name, labels), values in part.read():
                before = found[name].get(labels, [0.0] * len(values))
                found[name][labels] = [one + other for one, other in zip(before, values, strict=True)]
        return found

    def _add(self, name: str, labels: Labels, value: float) -> None:
        self._cells[self._place(name, labels, 1)] += value

    def _observe(self, place: int, edges: Sequence[float], value: float) -> None:
        """Count a value in its bucket; behind the buckets stands the sum of all."""
        self._cells[place + bisect_left(edges, value)] += 1
        self._cells[place + len(edges) + 1] += value

    def _places_of_requests(self, model: str, task: str, outcome: str) -> Sequence[int]:
        """Where the numbers are of requests with this outcome: how many, their tokens, their inputs, and both times."""
        labels = (("model", model), ("task", task))
        found = self._request_places[model, task, outcome] = (
            self._place("headway_requests_total", (*labels, ("outcome", outcome)), 1),
            self._place("headway_tokens_total", labels, 1),
            self._place("headway_inputs_total", labels, 1),
            self._histogram("headway_request_seconds", labels),
            self._histogram("headway_queue_seconds", labels),
        )
        return found

    def _histogram(self, name: str, labels: Labels) -> int:
        return self._place(name, labels, len(HISTOGRAMS[name][1]) + 2)

    def _place(self, name: str, labels: Labels, count: int) -> int:
        key = (name, labels)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._own.place(key, count)
        return place


def _block(name: str, kind: str, said: str, values: Mapping[Labels, float]) -> Iterable[str]:
    yield f"# HELP {name} {said}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{_spelled(labels)} {value:.15g}"


def _histogram(name: str, by_labels: Mapping[Labels, Sequence[float]]) -> Iterable[str]:
    said, edges = HISTOGRAMS[name]
    yield f"# HELP {name} {said}"
    yield f"# TYPE {name} histogram"
    for labels, values in by_labels.items():
        *counts, total = values
        below = 0
        for edge, count in zip((*map(str, edges), "+Inf"), counts, strict=True):
            below += int(count)
            yield f"{name}_bucket{_spelled((*labels, ('le', edge)))} {below}"
        yield f"{name}_sum{_spelled(labels)} {total:.15g}"
        yield f"{name}_count{_spelled(labels)} {below}"


def _spelled(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels)
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
