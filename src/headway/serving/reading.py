"""Bytes in, requests out: HTTP/1.1 as ``httptools`` reads it, held to limits from the first byte on. No socket, no clock.

Unusual: a request is refused as soon as its head, or the size of its body, says that it will be; then nothing more is read.
"""

from typing import Protocol
from urllib.parse import unquote

import httptools

from headway.errors import InputError
from headway.serving.http import HttpRequest
from headway.serving.refusals import RefusedError

MOST_USELESS = 65536
"""Bytes that a client may send without a request beginning, or its body growing: headers, and what surrounds a body's parts."""
MOST_HEADERS = 256
"""Headers of a request; those of one name are joined, which takes the longer the more there are."""


class Takes(Protocol):
    """Who gets the requests."""

    def check(self, request: HttpRequest) -> None:
        """Refuse a request whose head has come; its body has not."""
        ...

    def check_size(self, size: int) -> None:
        """Refuse a body that is so large as far as it has come."""
        ...

    def wants_body(self) -> None:
        """Tell the client, which waits for that, to send the body."""
        ...

    def take(self, request: HttpRequest, refusal: RefusedError | None, *, goes_on: bool) -> None:
        """A request that is read whole, or refused; whether another may come after it."""
        ...


class Reader:
    """Reads one connection. The parser calls the methods that begin with ``on_``."""

    def __init__(self, taker: Takes) -> None:
        self._taker = taker
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._headers, self._body = b"", dict[str, str](), bytearray()
        self._count = self._size = self._useless = self._lines = 0
        self.request: HttpRequest | None = None
        """The one whose body is being read."""
        self.is_done = False
        """Nothing more is read."""

    def feed(self, data: bytes) -> None:
        """Read on. What is no HTTP, or too much of what leads to nothing, is an ``InputError``."""
        if self.is_done:
            return
        before, left = (self._count, self._size), data
        try:
            while left:
                left = self._parsed(left)
        except httptools.HttpParserError as error:
            self.is_done, self.request = True, None
            mistake = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
            if mistake is not None and not isinstance(mistake, httptools.HttpParserError):
                raise mistake from None  # ours, and not the client's
            raise InputError(f"The bytes are no request of HTTP ({mistake or error}). Send HTTP/1.1.") from error
        self._useless = 0 if before != (self._count, self._size) else self._useless + len(data)
        if self._useless > MOST_USELESS:
            self.is_done, self.request = True, None
            raise InputError(f"More than {MOST_USELESS} bytes came that are no part of a body. Send fewer headers.")

    def _parsed(self, data: bytes) -> bytes:
        """What is still to be parsed. A wish for another protocol is not heard: the head is read once more without it.

        The parser takes it for granted, and would not read the body that Java's clients send along. RFC 9110, section 7.8.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as wish:
            method, version = self._parser.get_method(), self._parser.get_http_version()
            if method == b"CONNECT":
                raise httptools.HttpParserError("there is no way through here") from wish
            self._parser = httptools.HttpRequestParser(self)
            kept = [f"{name}: {value}" for name, value in self._headers.items() if name != "upgrade"]
            head = "\r\n".join([f" HTTP/{version}", *kept, "\r\n"]).encode("latin-1")
            return method + b" " + self._url + head + data[wish.args[0] :]
        return b""

    def refuse(self, error: RefusedError) -> None:
        """Refuse the request that is being read, and skip what is left of it; unless it is a GET nothing is read after it."""
        request, self.request = self.request, None
        assert request is not None
        self.is_done = request.method != "GET"
        self._taker.take(request, error, goes_on=not self.is_done)

    def on_message_begin(self) -> None:
        self._url, self._headers, self._lines = b"", {}, 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.request is None:  # what stands behind a body is not read
            self._lines += 1
            if self._lines > MOST_HEADERS:
                raise httptools.HttpParserError(f"more than {MOST_HEADERS} headers")
            known, said = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[known] = f"{self._headers[known]}, {said}" if known in self._headers else said  # RFC 9110, section 5.3

    def on_headers_complete(self) -> None:
        if self.is_done or self._parser.should_upgrade():
            return
        path, query = split_url(self._url)
        method = self._parser.get_method().decode("latin-1")
        self.request = HttpRequest(method=method, path=path, headers=self._headers, query_string=query)
        self._count, self._size, self._body = self._count + 1, 0, bytearray()
        try:
            self._taker.check(self.request)
        except RefusedError as error:
            self.refuse(error)
        else:
            if self._headers.get("expect", "").lower() == "100-continue" and self._parser.get_http_version() != "1.0":
                self._taker.wants_body()

    def on_body(self, body: bytes) -> None:
        if self.request is None:
            return
        self._body += body  # joined at once: clients may send a byte at a time
        self._size += len(body)
        try:
            self._taker.check_size(self._size)
        except RefusedError as error:
            self.refuse(error)

    def on_message_complete(self) -> None:
        if self.request is None:
            return
        request, self.request = self.request, None
        request.body = bytes(self._body)
        goes_on = self._parser.should_keep_alive() and self._parser.get_http_version() != "1.0"
        self._taker.take(request, None, goes_on=goes_on)


def split_url(url: bytes) -> tuple[str, str]:
    """The path, without %-signs, and the query of what a request asks for."""
    if not url.startswith(b"/") or b"#" in url:  # a whole address, as proxies are asked
        parts = httptools.parse_url(url)
        raw, query = parts.path or b"/", parts.query or b""
    else:
        raw, _, query = url.partition(b"?")
    path = raw.decode("latin-1")
    return (unquote(path) if "%" in path else path), query.decode("latin-1")
