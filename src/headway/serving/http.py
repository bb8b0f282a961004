"""A request and a response as dialects see them, whatever server carries them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Any, get_args
from urllib.parse import parse_qs

import orjson

from headway.errors import EngineError
from headway.serving.exchange import Ask, Priority
from headway.serving.refusals import RefusedError

JSON = "application/json"
TIMEOUT, PRIORITY = "x-request-timeout", "x-request-priority"
NO_CONTENT = 204


@dataclass(kw_only=True, slots=True)
class HttpRequest:
    """One request. Names of headers are in lower case; ``parameters`` are those of the route's path.

    It is filled in as it arrives: whoever is handed one to answer it has it whole, and leaves it as it is.
    """

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    query_string: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    arrived: float = field(default_factory=time.monotonic)
    trace: str | None = None
    """The id of the trace that it is part of, where there are traces."""

    def json(self) -> Any:
        """The body's JSON value; anything else is refused as unreadable."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise RefusedError(
                f"The body is not JSON ({error}), so nothing in it could be read. Send one JSON value, encoded in UTF-8.",
                reason="unreadable",
            ) from error

    def object(self) -> dict[str, Any]:
        """The body's JSON object; another JSON value is refused as invalid."""
        value = self.json()
        if not isinstance(value, dict):
            raise RefusedError(
                f"The body is a JSON {type(value).__name__}, but an object of names and values belongs here. "
                'Send {"inputs": …} or whatever this route reads.',
                reason="invalid",
            )
        return value

    def query(self) -> dict[str, str]:
        """The parameters after the question mark, the last of each name."""
        return {name: values[-1] for name, values in parse_qs(self.query_string, keep_blank_values=True).items()}

    def ask(
        self,
        items: Sequence[Any],
        *,
        task: str | None = None,
        model: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Ask:
        """What this request asks the engine room, with its id, its priority and how long the client waits."""
        return Ask(
            items=items,
            task=task,
            model=model,
            options=options or {},
            priority=self._priority(),
            timeout=self._timeout(),
            request_id=self.id,
            arrived=self.arrived,
        )

    def _priority(self) -> Priority:
        said = self.headers.get(PRIORITY)
        if said is None:
            return "normal"
        for known in get_args(Priority):
            if said == known:
                return known  # type: ignore[no-any-return]
        raise RefusedError(
            f"The header X-Request-Priority is {said!r}, which is no priority. Use {', '.join(get_args(Priority))}.",
            reason="invalid",
        )

    def _timeout(self) -> float | None:
        said = self.headers.get(TIMEOUT)
        if said is None:
            return None
        try:
            seconds = float(said)
        except ValueError:
            seconds = -1.0
        if not 0 < seconds < float("inf"):
            raise RefusedError(
                f"The header X-Request-Timeout is {said!r}, but it is a number of seconds above 0, such as 2.5. Correct it.",
                reason="invalid",
            )
        return seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpResponse:
    """What goes back: its body whole."""

    body: bytes = b""
    status: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self, more: Mapping[str, str]) -> bytes:
        """The bytes before the body, with ``more`` headers. One that has a line break is an ``EngineError``."""
        lines = [status_line(self.status)]
        if self.status != NO_CONTENT:
            lines += [f"content-type: {self.media_type}", f"content-length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"{name}: {value}" for name, value in more.items()]
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
            raise EngineError(
                "A header of the answer has a line break, so a client would read two headers. Tell the operator; it is no "
                "mistake of the request."
            )
        return f"{text}\r\n\r\n".encode("latin-1", "replace")


@cache
def status_line(status: int) -> str:
    """The first line of a response with this status."""
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A value as JSON; NumPy's numbers and arrays are understood."""
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return HttpResponse(body=body, status=status, headers=headers or {})


def text_response(text: str, *, status: int = 200, media_type: str = "text/plain; charset=utf-8") -> HttpResponse:
    """A text as it is."""
    return HttpResponse(body=text.encode(), status=status, media_type=media_type)
