"""Traces of requests by OpenTelemetry, where it is installed and asked for: when each waited, was read, ran and was answered.

Spans say which model and task, how much and how long, and never what was asked: neither texts nor answers, nor what stands behind
the question mark of an address. What is not asked for costs nothing, and is not imported.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from headway import __version__
from headway.errors import ConfigError, missing_extra
from headway.serving.http import HttpRequest, HttpResponse
from headway.serving.logs import LONGEST_PATH, Log

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from headway.serving.jobs import Job

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
USUAL_PROTOCOL = "http/protobuf"
LAST_SPANS = 3.0
"""Seconds that the last spans may take to be sent when the process ends."""
CLOCKS_DIFFER = 5_000_000
"""Nanoseconds from which on the clock was set, and not only read a little later."""
SERVER_ERROR = 500


def wanted(environment: Mapping[str, str]) -> list[str]:
    """The exporters that the standard variables ask for, by the names of OpenTelemetry's entry points; none unless one is set.

    ``OTEL_TRACES_EXPORTER`` names them (``otlp``, ``console``, …; ``none`` for none); without it an endpoint asks for ``otlp``.
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    named = environment.get("OTEL_TRACES_EXPORTER") or ("otlp" if any(environment.get(name) for name in ENDPOINTS) else "none")
    protocol = next(filter(None, map(environment.get, PROTOCOLS)), USUAL_PROTOCOL)
    otlp = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    names = [name.strip() for name in named.split(",")]
    return [otlp if name == "otlp" else name for name in names if name not in ("none", "")]


def ask_for(endpoint: str | None, environment: Any) -> None:
    """Have traces sent to an address, as if the standard variable had been set; a mistake in it is a ``ConfigError``."""
    if endpoint is None:
        return
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigError(
            f"--otlp-endpoint is {endpoint!r}, but an address belongs there. Use one such as http://localhost:4318."
        )
    if not _is_installed():
        raise missing_extra("opentelemetry-sdk", extra="serve-otel", purpose="Sending traces (--otlp-endpoint)")
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint


def start(environment: Mapping[str, str]) -> "Traces | None":
    """What makes this process's spans and sends them from a thread of its own; None where nobody asks for them.

    It has to be called after forking. Where variables ask and nothing is installed the log says so: a cluster may set them for
    all that runs in it.
    """
    names = wanted(environment)
    if not names:
        return None
    if not _is_installed():
        Log("text").say(f"headway: no traces are sent: {missing_extra('opentelemetry-sdk', extra='serve-otel', purpose='That')}")
        return None
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    is_named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    about = {"service.instance.id": f"{os.uname().nodename}:{os.getpid()}"}
    about = about if is_named else {**about, "service.name": "headway"}
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    for name in names:
        provider.add_span_processor(BatchSpanProcessor(_exporter(name).load()()))
    return Traces(provider)


class Traces:
    """The spans of one process."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import context, propagate, trace

        self._provider, self._ahead = provider, 0
        self._tracer = provider.get_tracer("headway", __version__)
        self._context, self._propagate, self._trace = context, propagate, trace

    @contextmanager
    def request(self, request: HttpRequest, *, route: str | None) -> "Iterator[RequestSpan]":
        """A request's span, below that of its client where headers name one (W3C's traceparent); it ends with the block."""
        parent = self._propagate.extract(request.headers)
        span = self._tracer.start_span(
            f"{request.method} {route}" if route else request.method,
            context=parent,
            kind=self._trace.SpanKind.SERVER,
            start_time=self._wall_clock(request.arrived),
            attributes=_without_none(
                {
                    "http.request.method": request.method,
                    "http.route": route,
                    "url.path": request.path[:LONGEST_PATH],
                    "headway.request_id": request.id,
                }
            ),
        )
        token = self._context.attach(self._trace.set_span_in_context(span, parent))
        try:
            yield RequestSpan(span)
        finally:
            self._context.detach(token)
            span.end()

    def job(self, job: "Job") -> None:
        """The spans of what the engine room did, below that of the request under way."""
        if not self._trace.get_current_span().is_recording():
            return
        about: dict[str, str | int] = {
            "headway.model": job.model.served.name,
            "headway.task": job.task,
            "headway.inputs": len(job.ask.items),
            "headway.sequences": sum(len(parts) for parts in job.parts),
        }
        for name, begin, end in stages(job):
            span = self._tracer.start_span(name, start_time=self._wall_clock(begin), attributes=about)
            span.end(end_time=self._wall_clock(end))

    def _wall_clock(self, monotonic: float) -> int:
        """Nanoseconds since 1970 of a time of the monotonic clock; the two are compared anew where one was set."""
        ahead = time.time_ns() - time.monotonic_ns()
        if abs(ahead - self._ahead) > CLOCKS_DIFFER:
            self._ahead = ahead
        return self._ahead + int(1e9 * monotonic)

    def stop(self) -> None:
        """Send the last spans, if that is soon done."""
        sending = threading.Thread(target=self._provider.shutdown, name="headway-last-spans", daemon=True)
        sending.start()  # the exporter itself tries again and again where nobody listens
        sending.join(LAST_SPANS)


@dataclass(frozen=True)
class RequestSpan:
    """The span of a request under way."""

    span: "Span"

    @property
    def trace_id(self) -> str:
        """The trace's id, as 32 hexadecimal digits, for the log."""
        return format(self.span.get_span_context().trace_id, "032x")

    def answered(self, response: HttpResponse) -> None:
        """Note how the request was answered."""
        from opentelemetry.trace import StatusCode

        self.span.set_attribute("http.response.status_code", response.status)
        self.span.set_attribute("http.response.body.size", len(response.body))
        if response.status >= SERVER_ERROR:
            self.span.set_status(StatusCode.ERROR)


def stages(job: "Job") -> list[tuple[str, float, float]]:
    """What became of a job, by the monotonic clock: it waits and is tokenized, waits and runs in batches, and is decoded.

    What it did not come to is left out.
    """
    times = (
        ("queue", job.submitted, job.encode_began),
        ("tokenize", job.encode_began, job.encode_began + job.encoded_in),
        ("queue", job.encode_began + job.encoded_in, job.began),
        ("run", job.began, job.ended),
        ("decode", job.decode_began, job.decode_began + job.decoded_in),
    )
    return [(name, begin, end) for name, begin, end in times if begin and end >= begin]


def _is_installed() -> bool:
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None


def _exporter(name: str) -> EntryPoint:
    found = entry_points(group="opentelemetry_traces_exporter", name=name)
    if not found:
        known = ", ".join(sorted(entry_points(group="opentelemetry_traces_exporter").names)) or "none"
        raise ConfigError(
            f"Traces are to be sent by {name}, but no such exporter of OpenTelemetry is installed; installed are {known}. "
            "Install its package, or unset OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL."
        )
    return next(iter(found))


def _without_none(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
