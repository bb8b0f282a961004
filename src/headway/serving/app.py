"""The ASGI application: reads a request whole, within limits, and sends what its dialect answers."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from headway.serving.http import HttpRequest, HttpResponse
from headway.serving.keys import Keys
from headway.serving.logs import Log
from headway.serving.refusals import RefusedError
from headway.serving.room import Room
from headway.serving.routing import Router, refused, respond

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LONGEST_ID = 128
CORS = {"access-control-allow-methods": "GET, POST", "access-control-allow-headers": "*", "access-control-max-age": "600"}


class App:
    """One server's application."""

    def __init__(self, room: Room, routes: Router, *, keys: Keys, log: Log, origins: Sequence[str] = ()) -> None:
        self.room, self.routes, self.keys, self.log, self.origins = room, routes, keys, log, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of HTTP; there is nothing else that the server would hand over."""
        if scope["type"] != "http":
            return
        arrived = time.monotonic()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = HttpRequest(
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            query_string=scope["query_string"].decode("latin-1"),
            id=request_id(headers),
            arrived=arrived,
        )
        client = (scope.get("client") or ("",))[0]
        if self.room.traces is None:
            response = await self._respond(request, receive, client=client)
        else:
            found = self.routes.first(request.method, request.path)
            with self.room.traces.request(request, route=found[0].path if found else None) as span:
                response = await self._respond(request, receive, client=client)
                span.answered(response)
            request = replace(request, trace=span.trace_id)
        await _send(response, send, {"x-request-id": request.id, **self._cors(headers)})
        self.room.counters.count_response(response.status)
        self.log.request(request, response, seconds=time.monotonic() - arrived)

    async def _respond(self, request: HttpRequest, receive: Receive, *, client: str) -> HttpResponse:
        if request.method == "OPTIONS" and self._cors(request.headers):
            return HttpResponse(status=204, headers=CORS)
        found = self.routes.first("GET" if request.method == "HEAD" else request.method, request.path)
        try:
            if found is not None:
                self.keys.check(found[0], request.headers, client=client)
            body = await self._body(request.headers, receive)
        except RefusedError as error:
            said = refused(error, found[1] if found else None)
            unread = {"connection": "close"} if request.method != "GET" else {}
            asked = {"www-authenticate": "Bearer"} if error.reason == "unauthorized" else {}
            return HttpResponse(
                body=said.body, status=said.status, media_type=said.media_type, headers={**said.headers, **unread, **asked}
            )
        return await respond(_with_body(request, body), self.room, routes=self.routes)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The body. One that is too large is refused before it is read, as far as the client says its size."""
        limit, said = self.room.limits.payload_limit, headers.get("content-length", "0")
        if said.isdigit() and int(said) > limit:
            raise _too_large(limit)
        if headers.get("content-encoding", "identity") != "identity":
            raise RefusedError("Bodies that are compressed are not read here. Send it as it is.", reason="wrong_media")
        try:
            async with asyncio.timeout(self.room.limits.body_timeout):
                return await _read(receive, limit)
        except TimeoutError:
            raise RefusedError(
                f"The request did not arrive within {self.room.limits.body_timeout:g} seconds. Send it faster, or in parts.",
                reason="timeout",
            ) from None

    def _cors(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        origin = headers.get("origin")
        if origin is None or not ({origin, "*"} & self.origins):
            return {}
        return {"access-control-allow-origin": "*" if "*" in self.origins else origin, "vary": "origin"}


def request_id(headers: Mapping[str, str]) -> str:
    """The id that the client gave, if it is one that may stand in a log; else a new one."""
    given = headers.get("x-request-id", "")
    return given if given.isascii() and given.isprintable() and 0 < len(given) <= LONGEST_ID else uuid.uuid4().hex


def _with_body(request: HttpRequest, body: bytes) -> HttpRequest:
    return HttpRequest(
        method=request.method,
        path=request.path,
        body=body,
        headers=request.headers,
        query_string=request.query_string,
        id=request.id,
        arrived=request.arrived,
    )


async def _read(receive: Receive, limit: int) -> bytes:
    """The body, of at most ``limit`` bytes."""
    parts, size, has_more = list[bytes](), 0, True
    while has_more:
        message = await receive()
        parts.append(message.get("body", b""))
        size, has_more = size + len(parts[-1]), message.get("more_body", False)
        if size > limit:
            raise _too_large(limit)
    return b"".join(parts)


def _too_large(limit: int) -> RefusedError:
    return RefusedError(
        f"The body is larger than {limit} bytes, the most that is read here. Send several requests.", reason="payload_too_large"
    )


async def _send(response: HttpResponse, send: Send, more: Mapping[str, str]) -> None:
    headers = [
        (b"content-type", response.media_type.encode("latin-1")),
        (b"content-length", str(len(response.body)).encode()),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in {**response.headers, **more}.items()),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
