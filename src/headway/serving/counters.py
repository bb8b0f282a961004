"""Counters in Prometheus' text format. Written here: a client library would add a dependency for what is a table of numbers.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from headway.serving.jobs import Job

Labels: TypeAlias = tuple[tuple[str, str], ...]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

HELP = {
    "headway_requests_total": "Requests to models, by outcome.",
    "headway_tokens_total": "Tokens read, special ones included.",
    "headway_inputs_total": "Inputs answered.",
    "headway_dropped_total": "Requests whose client went away before they were answered.",
    "headway_padding_tokens_total": "Tokens of batches that were padding.",
    "headway_batch_tokens_total": "Tokens of batches, padding included.",
    "headway_batch_seconds_total": "Seconds that workers computed.",
    "headway_batch_size": "Sequences of a batch.",
    "headway_request_seconds": "From a request's arrival to its answer.",
    "headway_queue_seconds": "From a request's arrival to the start of its first batch, without tokenizing.",
    "headway_http_responses_total": "HTTP responses, by status.",
}


@dataclass(eq=False)
class Histogram:
    """How many observations lie below each edge."""

    edges: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.edges) + 1)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.edges, value)] += 1
        self.total += value


class Counters:
    """What is counted while models are served. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[str, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._histograms: dict[str, dict[Labels, Histogram]] = defaultdict(dict)

    def count_batch(self, lengths: Sequence[int], *, model: str, seconds: float) -> None:
        """A batch that ran: its sequences' tokens, and how long it took."""
        labels, padded = (("model", model),), len(lengths) * max(lengths)
        with self._lock:
            self._sums["headway_batch_tokens_total"][labels] += padded
            self._sums["headway_padding_tokens_total"][labels] += padded - sum(lengths)
            self._sums["headway_batch_seconds_total"][labels] += seconds
            self._observe("headway_batch_size", labels, len(lengths), edges=TEXTS)

    def count_request(self, job: "Job", *, outcome: str, seconds: float, queued: float, tokens: int) -> None:
        """A request that was answered or refused."""
        labels = (("model", job.model.served.name), ("task", job.task))
        with self._lock:
            self._sums["headway_requests_total"][(*labels, ("outcome", outcome))] += 1
            self._sums["headway_tokens_total"][labels] += tokens
            self._sums["headway_inputs_total"][labels] += len(job.ask.items)
            self._observe("headway_request_seconds", labels, seconds)
            self._observe("headway_queue_seconds", labels, queued)

    def count_refused(self, outcome: str, *, model: str, task: str) -> None:
        """A request that was refused before it could wait."""
        with self._lock:
            self._sums["headway_requests_total"][("model", model), ("task", task), ("outcome", outcome)] += 1

    def count_dropped(self, job: "Job") -> None:
        """A request that nobody waits for any more."""
        with self._lock:
            self._sums["headway_dropped_total"][(("model", job.model.served.name),)] += 1

    def count_response(self, status: int) -> None:
        """An HTTP response."""
        with self._lock:
            self._sums["headway_http_responses_total"][(("status", str(status)),)] += 1

    def sum(self, name: str) -> float:
        """A counter's value over all its labels."""
        with self._lock:
            return sum(self._sums[name].values())

    def text(self, gauges: Mapping[str, tuple[str, Mapping[Labels, float]]]) -> str:
        """All counters, and gauges given by name with what they say."""
        with self._lock:
            lines = [line for name, values in sorted(self._sums.items()) for line in _block(name, "counter", HELP[name], values)]
            for name, found in sorted(self._histograms.items()):
                lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} histogram"]
                lines += [line for labels, histogram in found.items() for line in _lines(name, labels, histogram)]
        for name, (said, values) in gauges.items():
            lines += _block(name, "gauge", said, values)
        return "\n".join(lines) + "\n"

    def _observe(self, name: str, labels: Labels, value: float, edges: Sequence[float] = SECONDS) -> None:
        if labels not in self._histograms[name]:
            self._histograms[name][labels] = Histogram(edges)
        self._histograms[name][labels].observe(value)


def _block(name: str, kind: str, said: str, values: Mapping[Labels, float]) -> Iterable[str]:
    yield f"# HELP {name} {said}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{_spelled(labels)} {value:.15g}"


def _lines(name: str, labels: Labels, histogram: Histogram) -> Iterable[str]:
    below = 0
    for edge, count in zip((*map(str, histogram.edges), "+Inf"), histogram.counts, strict=True):
        below += count
        yield f"{name}_bucket{_spelled((*labels, ('le', edge)))} {below}"
    yield f"{name}_sum{_spelled(labels)} {histogram.total:.15g}"
    yield f"{name}_count{_spelled(labels)} {below}"


def _spelled(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels)
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
