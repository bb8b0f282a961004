"""One client's connection: uvicorn's protocol, with limits against clients that are slow, and an end to work for those that left.

Unusual: uvicorn itself waits for ever for the first request of a connection, and for one whose headers do not end.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headway.serving.app import Receive, Scope, Send

LARGEST_HEADERS = 65536


class Makes(Protocol):
    """What uvicorn calls for each connection."""

    def __call__(self, **arguments: Any) -> asyncio.Protocol: ...


def connections(*, patience: float, most: int) -> Makes:
    """What makes connections: idle ones, and those whose request does not begin within ``patience`` seconds, are closed."""
    return lambda **arguments: Connection(HttpToolsProtocol(**arguments), patience=patience, most=most)


class Connection(asyncio.Protocol):
    """A connection. What it receives goes to uvicorn's protocol."""

    def __init__(self, inner: HttpToolsProtocol, *, patience: float, most: int) -> None:
        self.inner, self.patience, self.most = inner, patience, most
        self._app: Callable[..., Any] = inner.app
        inner.app = self._serve
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unbegun = 0
        self._requests = self._seen = 0
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.inner.connection_made(cast(asyncio.Transport, transport))  # uvloop's is none by class
        if len(self.inner.connections) > self.most:
            self.inner.transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        begun = self._requests
        self.inner.data_received(data)
        is_between = self.inner.cycle is None or self.inner.cycle.response_complete
        self._unbegun = self._unbegun + len(data) if is_between and begun == self._requests else 0
        if self._unbegun > LARGEST_HEADERS and not self.inner.transport.is_closing():
            self.inner.transport.abort()

    def eof_received(self) -> None:
        self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self.inner.connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def _watch(self) -> None:
        """Look again after a while; a connection that was asked nothing meanwhile, and owes nothing, is closed."""
        self._seen = self._requests
        self._timer = self.inner.loop.call_later(self.patience, self._look)

    def _look(self) -> None:
        if self._seen == self._requests and self._task is None:
            self.inner.transport.close()
        else:
            self._watch()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._requests += 1
        self._task = asyncio.current_task()
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._is_lost:
                raise
        finally:
            self._task = None
