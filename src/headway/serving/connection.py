"""One client's connection: its requests are answered one after the other, with limits against clients that are slow.

Unusual: there is no ASGI in between, whose messages, events and timers would cost more than all else that a request needs here.
uvicorn listens, and ends the connections when the server ends.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from uvicorn.server import ServerState

from headway.errors import EngineError, InputError
from headway.serving.app import App
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.reading import Reader
from headway.serving.refusals import RefusedError

PIECE = 16384
"""Bytes that are read at once: requests that wait take far more room than their bytes, so of many few are made at a time."""
SLOWEST = 1024
"""Bytes a second of an answer that a client has to read, or it is left."""
MOST_HELD = 256_000_000
"""Bytes of bodies that have come in part, over all connections; a body within the limit may always come alone."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
UNREADABLE = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
MISTAKE = json_response({"error": "The server made a mistake, of which its log says more. Tell the operator."}, status=500)
ENDED = json_response({"error": "The server has ended before the answer was there. Ask again."}, status=503)


def connections(app: App, *, patience: float, most: int) -> Callable[..., asyncio.Protocol]:
    """What uvicorn calls for each connection; one that is idle, or whose request does not begin, lives ``patience`` seconds."""
    return lambda *, server_state, **_: Connection(app, server_state, patience=patience, most=most)


@lru_cache(maxsize=1)
def spelled(*headers: tuple[bytes, bytes]) -> Mapping[str, str]:
    """Headers as text: uvicorn's, which are others once a second."""
    return {name.decode(): value.decode() for name, value in headers}


class Connection(asyncio.Protocol):
    """A connection."""

    def __init__(self, app: App, state: ServerState, *, patience: float, most: int) -> None:
        self.app, self.state, self.patience, self.most = app, state, patience, most
        self.transport: asyncio.Transport
        self.client = ""
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(self)
        self._waiting = deque[tuple[HttpRequest, RefusedError | None, bool]]()
        """Requests that were read, perhaps why they are refused, and whether the connection goes on after them."""
        self._task: asyncio.Task[None] | None = None
        self._unread, self._held = b"", 0
        self._is_reading = self._is_asked = self._is_full = self._is_paused = self._is_ending = self._is_lost = False
        self._active, self._owed = time.monotonic(), (0.0, 0)
        self._timers = dict[str, asyncio.TimerHandle]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self.client = (transport.get_extra_info("peername") or ("",))[0]
        self.state.connections.add(cast(Any, self))
        if len(self.state.connections) > self.most:
            self.transport.abort()
        else:
            self._timers["idle"] = self._loop.call_later(self.patience, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._hold(0)
        self.state.connections.discard(cast(Any, self))
        self._waiting.clear()
        for timer in self._timers.values():
            timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._unread = self._unread + data if self._unread else data
        self._read()

    def _read(self) -> None:
        """Read what has come, as long as no request waits."""
        came, place, self._is_reading = self._unread, 0, True
        try:
            while place < len(came) and not self._waiting:
                self._reader.feed(came[place : place + PIECE])
                place += PIECE
            self._unread = came[place:]
        except InputError:
            self._unread = b""
            self._hold(0)
            self._end_unread()
        finally:
            self._is_reading = False
        if self._reader.request is not None and "body" not in self._timers:
            self._timers["body"] = self._loop.call_later(self.app.room.limits.body_timeout, self._refuse_late)
        self._pause()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full, self._active = False, time.monotonic()
        self._go_on()

    def shutdown(self) -> None:
        """End once what has come is answered; uvicorn calls it when the server ends."""
        self._is_ending = True
        if not self._is_busy():
            self.transport.close()

    def check(self, request: HttpRequest) -> None:
        self._active = request.arrived
        self.app.check(request, client=self.client)

    def check_size(self, size: int) -> None:
        self.app.check_size(size)
        self._hold(size)
        if self.app.held > MOST_HELD and self.app.held > size:
            raise RefusedError(
                "The server has no room for more bodies of requests until some have come whole. Ask again a little later.",
                reason="overloaded",
                retry_after=1.0,
            )

    def _hold(self, size: int) -> None:
        """Count what is kept of a body that has not come whole."""
        self.app.held += size - self._held
        self._held = size

    def wants_body(self) -> None:
        self._is_asked = True
        self._ask_for_body()

    def _ask_for_body(self) -> None:
        """Tell a client that waits for it to send the body, once all that it asked before is answered."""
        if self._is_asked and self._task is None and not self._waiting and not self.transport.is_closing():
            self._is_asked = False
            self.transport.write(CONTINUE)

    def take(self, request: HttpRequest, refusal: RefusedError | None, *, goes_on: bool) -> None:
        self._is_asked = False
        self._hold(0)
        if "body" in self._timers:
            self._timers.pop("body").cancel()
        self._waiting.append((request, refusal, goes_on))
        self._go_on()

    def _go_on(self) -> None:
        """Begin with the next request if nothing is in its way, and read on once none waits."""
        while self._waiting and self._task is None and not self._is_full and not self.transport.is_closing():
            request, refusal, goes_on = self._waiting.popleft()
            if refusal is not None:
                self._respond(request, self.app.refuse(request, refusal), goes_on=goes_on, is_late=refusal.reason == "timeout")
            else:
                self._task = self._loop.create_task(self._answer(request, goes_on=goes_on))
                self._task.add_done_callback(
                    self.state.tasks.discard
                )  # one that is cancelled before it began ends in no other way
                self.state.tasks.add(self._task)
        if not self._is_reading:
            self._ask_for_body()
            if self._unread or self._is_paused:
                self._read()

    def _pause(self) -> None:
        """Read no further while a request waits."""
        if self._is_paused != bool(self._waiting) and not self.transport.is_closing():
            self._is_paused = not self._is_paused
            (self.transport.pause_reading if self._is_paused else self.transport.resume_reading)()

    async def _answer(self, request: HttpRequest, *, goes_on: bool) -> None:
        """Answer a request; a mistake of ours is told to the client, and goes on to the log."""
        response = MISTAKE
        try:
            response = await self.app.answer(request)
        except asyncio.CancelledError:
            response = ENDED
        finally:
            self._task = None
            if not self._is_lost:
                self._respond(request, response, goes_on=goes_on and response is not MISTAKE and response is not ENDED)
                self._go_on()

    def _respond(self, request: HttpRequest, response: HttpResponse, *, goes_on: bool, is_late: bool = False) -> None:
        goes_on = goes_on and (bool(self._waiting) or not (self._is_ending or self._reader.is_done))
        more = {**self.app.more_headers(request), **spelled(*self.state.default_headers)}
        if not goes_on:
            more["connection"] = "close"
        try:
            head = response.head(more)
        except EngineError:
            self.transport.abort()
            raise
        self.transport.write(head if request.method == "HEAD" else head + response.body)
        self._active = time.monotonic()
        self._owed = self._active, self.transport.get_write_buffer_size()
        self.app.keep(request, response)
        if not goes_on:
            self._end(is_heard=self._reader.is_done and not (is_late or self._is_ending))

    def _end(self, *, is_heard: bool) -> None:
        """Close; a client that may be sending yet is heard out: what nobody reads would have its system throw the answer away.

        RFC 9112, section 9.6.
        """
        if not is_heard:
            self.transport.close()
            return
        self._timers["heard"] = self._loop.call_later(self.app.room.limits.body_timeout, self.transport.close)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _end_unread(self) -> None:
        """Answer what could be read before, if anything; then close."""
        self._is_ending = True
        if self._is_busy() or self.transport.is_closing() or "heard" in self._timers:
            return
        self.transport.write(UNREADABLE)
        self.transport.close()

    def _is_busy(self) -> bool:
        return self._reader.request is not None or self._task is not None or bool(self._waiting)

    def _refuse_late(self) -> None:
        del self._timers["body"]
        if self._is_paused:  # it is not the client's fault that nothing comes
            self._timers["body"] = self._loop.call_later(self.app.room.limits.body_timeout, self._refuse_late)
        elif self._reader.request is not None:
            self._reader.refuse(
                RefusedError(
                    f"The request did not arrive within {self.app.room.limits.body_timeout:g} seconds. Send it faster, or in "
                    "parts.",
                    reason="timeout",
                )
            )

    def _look(self) -> None:
        """Close a connection that was asked nothing for a while and owes nothing, or whose client does not read its answers."""
        now = time.monotonic()
        if now - self._active >= self.patience and self._is_read(now):
            self._active = now
        idle = now - self._active
        is_owing = self._task is not None or self._reader.request is not None
        if not is_owing and idle >= self.patience:
            (self.transport.abort if self._is_full or self.transport.is_closing() else self.transport.close)()
        again = self.patience if is_owing or idle >= self.patience else self.patience - idle
        self._timers["idle"] = self._loop.call_later(again, self._look)

    def _is_read(self, now: float) -> bool:
        """Whether the client has read of its answers since this was asked last, or since the last answer was written."""
        before, owed = self._owed
        self._owed = now, self.transport.get_write_buffer_size()
        return owed - self._owed[1] > SLOWEST * (now - before)
