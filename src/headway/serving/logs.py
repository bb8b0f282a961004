"""A line for each request: when, which, how long. Never what was asked.

Unusual: lines are written by a thread, many at once, so that neither a full disk nor a reader that stands still keeps a request
waiting. What cannot be written is lost, and how much that was is said once it can.
"""

import os
import sys
import threading
import time
from collections import deque
from typing import Literal, TextIO

import orjson

from headway.serving.http import HttpRequest, HttpResponse

MOST_WAITING = 20_000
"""Lines that wait to be written; while there are more, new ones are lost."""
LONGEST_PATH = 200
"""Characters of a path that a line shows: a client may ask for one that is as long as it likes."""
PAUSE = 0.05
"""Seconds after which what has come meanwhile is written."""
LAST_WORDS = 2.0
"""Seconds that the last lines may take when the process ends."""


class Log:
    """Lines for people or for programs."""

    def __init__(self, form: Literal["text", "json", "none"], *, stream: TextIO | None = None) -> None:
        self.form, self.stream = form, stream or sys.stderr
        self._lines, self._lost = deque[str](), 0
        self._has_lines, self._is_ending = threading.Event(), threading.Event()
        self._writer: threading.Thread | None = None

    def request(self, request: HttpRequest, response: HttpResponse, *, seconds: float) -> None:
        """One request that was answered, or refused."""
        if self.form == "none":
            return
        if len(self._lines) >= MOST_WAITING:
            self._lost += 1
            return
        if self.form == "json":
            self._lines.append(orjson.dumps(_entry(request, response, seconds)).decode() + "\n")
        else:
            path = request.path[:LONGEST_PATH].encode("unicode_escape").decode()
            self._lines.append(f"{request.method} {path} {response.status} {1000 * seconds:.1f} ms {request.id}\n")
        if not self._has_lines.is_set():
            self._wake()

    def say(self, words: str) -> None:
        """What happened to the server itself."""
        self._write(words + "\n")

    def close(self) -> None:
        """Write the last lines, if that is soon done."""
        self._is_ending.set()
        self._has_lines.set()
        if self._writer is not None:
            self._writer.join(LAST_WORDS)

    def _wake(self) -> None:
        if self._writer is None:  # only now, so that a process that is yet to be forked has no threads
            self._writer = threading.Thread(target=self._write_lines, name="headway-log", daemon=True)
            self._writer.start()
        self._has_lines.set()

    def _write_lines(self) -> None:
        while not self._is_ending.is_set():
            self._has_lines.wait()
            self._is_ending.wait(PAUSE)
            self._has_lines.clear()
            self._write_what_waits()
        self._write_what_waits()

    def _write_what_waits(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        lost, self._lost = self._lost, 0
        if lost:
            lines.append(f"headway: {lost} lines of this log could not be written.\n")
        if lines and not self._write("".join(lines)):
            self._lost += lost + len(lines) - bool(lost)

    def _write(self, text: str) -> bool:
        """Write at once, past Python's own buffers, which would keep what the disk did not take; whether all was written."""
        left = text.encode(errors="backslashreplace")
        try:
            while left:
                left = left[os.write(self.stream.fileno(), left) :]
        except (OSError, ValueError):  # ValueError: the stream was closed meanwhile
            return False
        return True


def _entry(request: HttpRequest, response: HttpResponse, seconds: float) -> dict[str, object]:
    entry: dict[str, object] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "id": request.id,
        "method": request.method,
        "path": request.path[:LONGEST_PATH],
        "status": response.status,
        "ms": round(1000 * seconds, 2),
        "bytes_out": len(response.body),
    }
    return entry if request.trace is None else {**entry, "trace_id": request.trace}
