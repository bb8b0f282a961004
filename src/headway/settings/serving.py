"""Settings of ``headway serve``."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from headway.core.config import Config
from headway.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Limits(Config):
    """What requests may ask for."""

    max_client_batch_size: int = 2048
    """Inputs of one request at most. One with very many tokens lets requests pass that come later."""
    max_concurrent_requests: int = 512
    """Requests under way at most, over all clients; others are told to come again (429)."""
    max_batch_tokens: int = 16384
    """Tokens of a batch at most, whichever requests they are of. A model's own best size, mostly less, is not exceeded."""
    max_queued_tokens: int = 1_000_000
    """Tokens that wait at most; while there are more, new requests are told to come again (429)."""
    payload_limit: int = 2_000_000
    """Bytes of a request's body at most."""
    body_timeout: float = 30.0
    """Seconds that a client may take to send one request."""
    max_connections: int = 16384
    """Connections at most, idle ones included."""

    def __post_init__(self) -> None:
        for name in [one.name for one in fields(Limits)]:
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, but nothing could be served then. Use a number above 0.")


@dataclass(frozen=True, kw_only=True)
class ServeSettings(Limits):
    """Which models to serve, where, and to whom."""

    models: tuple[str, ...] = field(default=(), metadata={"positional": True})
    """Folders, models that ship with Headway, or Hub repositories, each perhaps as NAME=MODEL, the name that requests call it
    by. A task may stand before its model, or by itself for its usual one, as in sentiment ner ./tagger fill-mask. By default all
    models that ship."""
    host: str = "127.0.0.1"
    """The address to listen at. Only programs on this machine reach the default; 0.0.0.0 is for all who can reach the machine."""
    port: int = 8080
    """The port to listen at; 0 for a free one."""
    workers: int = 1
    """Processes that share the port and the memory of the models, for machines with many cores."""
    threads: int | None = None
    """Threads that compute in each process; by default the cores that this process may use, shared out among the processes."""
    precision: Literal["auto", "fp32", "int8"] = "auto"
    """What the models compute in; auto is int8 where a model's folder has an INT8 file, else fp32."""
    revision: str | None = None
    """Branch, tag or commit of the Hub repository, where a single model is named."""
    api_key: tuple[str, ...] = ()
    """Keys, one of which every request has to bear (Authorization: Bearer KEY). Better in HEADWAY_API_KEYS or a file: others on
    the machine can read a command line."""
    api_key_file: Path | None = None
    """A file with such keys, one a line."""
    admin_key_file: Path | None = None
    """A file with the operator's keys, one a line, for loading and unloading; without one only this machine may."""
    cors_origin: tuple[str, ...] = ()
    """Web sites whose pages may ask, such as https://example.org; * for all."""
    tls_certificate: Path | None = None
    """A PEM file with the certificate, for HTTPS."""
    tls_key: Path | None = None
    """A PEM file with the certificate's key."""
    drain_seconds: float = 30.0
    """How long requests under way may take to end after SIGTERM."""
    keep_alive: float = 75.0
    """Seconds after which a connection that is idle, or whose request does not come to its end, is closed."""
    otlp_endpoint: str | None = None
    """Where traces of requests are sent by OpenTelemetry (OTLP over HTTP), such as http://localhost:4318; or set the standard
    variables, such as OTEL_EXPORTER_OTLP_ENDPOINT."""
    log: Literal["text", "json", "none"] = "text"
    """A line for each request, for people or for programs; never with what was asked."""
