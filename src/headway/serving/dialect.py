"""What one file in ``serving/dialects/`` says about its dialect: ``DIALECT``."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from headway.serving.http import HttpRequest, HttpResponse
from headway.serving.refusals import RefusedError
from headway.serving.service import Service

Handler: TypeAlias = Callable[[HttpRequest, Service], Awaitable[HttpResponse]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one path, and what answers it.

    In ``path`` the name ``{model}`` stands for one segment and ``{model...}`` for one or more, as Hub ids have. Where several
    routes have one method and path, the first whose ``accepts`` says yes answers, else the one without.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handler: Handler
    summary: str
    request: Mapping[str, Any] | None = None
    """JSON Schema of the body."""
    response: Mapping[str, Any] | None = None
    """JSON Schema of the answer."""
    public: bool = False
    """Answered without a key: for probes."""
    admin: bool = False
    """Answered to the operator alone: with the admin key, or without one over loopback."""
    accepts: Callable[[HttpRequest], bool] | None = None
    """Whether a request is of this dialect, where others have the same path."""
    hidden: bool = False
    """Left out of the OpenAPI document: another spelling of a route that is in it."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One way in which clients talk."""

    name: str
    summary: str
    routes: tuple[Route, ...]
    refuse: Callable[[RefusedError], HttpResponse]
    """How the dialect says that, and why, it does not answer. ``Retry-After`` is added to it where it is known."""
