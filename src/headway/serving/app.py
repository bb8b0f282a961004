"""The application: what is checked when a request's head has come, who answers the request, and what is kept of it."""

import random
import time
from collections.abc import Mapping, Sequence

from headway.serving.http import HttpRequest, HttpResponse
from headway.serving.keys import Keys
from headway.serving.logs import Log
from headway.serving.refusals import RefusedError
from headway.serving.room import Room
from headway.serving.routing import Router, refused, respond

LONGEST_ID = 128
CORS = {"access-control-allow-methods": "GET, POST", "access-control-allow-headers": "*", "access-control-max-age": "600"}


class App:
    """One server's application."""

    def __init__(self, room: Room, routes: Router, *, keys: Keys, log: Log, origins: Sequence[str] = ()) -> None:
        self.room, self.routes, self.keys, self.log, self.origins = room, routes, keys, log, frozenset(origins)
        self.held = 0
        """Bytes of bodies that have come in part, over all connections."""

    def check(self, request: HttpRequest, *, client: str) -> None:
        """Refuse a request before its body is read: without a key, too large as far as it says its size, or compressed."""
        request.id = request_id(request.headers)
        if request.method == "OPTIONS" and self._cors(request.headers):
            return
        found = self.routes.first(_method(request), request.path)
        if found is not None:
            self.keys.check(found[0], request.headers, client=client)
        said = request.headers.get("content-length", "0")
        if said.isdigit():
            self.check_size(int(said))
        encodings = request.headers.get("content-encoding", "identity"), request.headers.get("transfer-encoding", "chunked")
        if encodings[0] != "identity" or encodings[1].lower() != "chunked":
            raise RefusedError("Bodies that are compressed are not read here. Send it as it is.", reason="wrong_media")

    def check_size(self, size: int) -> None:
        """Refuse a body of so many bytes if they are too many."""
        if size > (limit := self.room.limits.payload_limit):
            raise RefusedError(
                f"The body is larger than {limit} bytes, the most that is read here. Send several requests.",
                reason="payload_too_large",
            )

    def refuse(self, request: HttpRequest, error: RefusedError) -> HttpResponse:
        """The response to a request whose body is not read."""
        found = self.routes.first(_method(request), request.path)
        said = refused(error, found[1] if found else None)
        asked = {"www-authenticate": "Bearer"} if error.reason == "unauthorized" else {}
        return HttpResponse(body=said.body, status=said.status, media_type=said.media_type, headers={**said.headers, **asked})

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """The response to a request that was read whole."""
        traces = self.room.traces
        if traces is None:
            return await self._answer(request)
        found = self.routes.first(_method(request), request.path)
        with traces.request(request, route=found[0].path if found else None) as span:
            request.trace = span.trace_id
            response = await self._answer(request)
            span.answered(response)
        return response

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.method == "OPTIONS" and self._cors(request.headers):
            return HttpResponse(status=204, headers=CORS)
        return await respond(request, self.room, routes=self.routes)

    def more_headers(self, request: HttpRequest) -> dict[str, str]:
        """What every response to this request says beside its own."""
        return {"x-request-id": request.id, **self._cors(request.headers)}

    def keep(self, request: HttpRequest, response: HttpResponse) -> None:
        """Count and log a request that is done."""
        self.room.counters.count_response(response.status)
        self.log.request(request, response, seconds=time.monotonic() - request.arrived)

    def _cors(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        origin = headers.get("origin")
        if origin is None or not ({origin, "*"} & self.origins):
            return {}
        return {"access-control-allow-origin": "*" if "*" in self.origins else origin, "vary": "origin"}


def request_id(headers: Mapping[str, str]) -> str:
    """The id that the client gave, if it is one that may stand in a log; else a new one."""
    given = headers.get("x-request-id")
    if given and len(given) <= LONGEST_ID and given.isascii() and given.isprintable():
        return given
    return f"{random.getrandbits(128):032x}"


def _method(request: HttpRequest) -> str:
    return "GET" if request.method == "HEAD" else request.method
