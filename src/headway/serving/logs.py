"""A line for each request: when, which, how long. Never what was asked."""

import sys
import time
from typing import Literal, TextIO

import orjson

from headway.serving.http import HttpRequest, HttpResponse


class Log:
    """Lines for people or for programs."""

    def __init__(self, form: Literal["text", "json", "none"], *, stream: TextIO | None = None) -> None:
        self.form, self.stream = form, stream or sys.stderr

    def request(self, request: HttpRequest, response: HttpResponse, *, seconds: float) -> None:
        """One request that was answered, or refused."""
        if self.form == "none":
            return
        if self.form == "json":
            self.stream.write(orjson.dumps(_entry(request, response, seconds)).decode() + "\n")
        else:
            path = request.path.encode("unicode_escape").decode()
            self.stream.write(f"{request.method} {path} {response.status} {1000 * seconds:.1f} ms {request.id}\n")

    def say(self, words: str) -> None:
        """What happened to the server itself."""
        self.stream.write(words + "\n")
        self.stream.flush()


def _entry(request: HttpRequest, response: HttpResponse, seconds: float) -> dict[str, object]:
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "id": request.id,
        "method": request.method,
        "path": request.path,
        "status": response.status,
        "ms": round(1000 * seconds, 2),
        "bytes_out": len(response.body),
    }
