"""Why a request is not answered, in words that every dialect has a form for."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from headway.errors import CheckpointError, EngineError, HeadwayError

Reason: TypeAlias = Literal[
    "unreadable",
    "unauthorized",
    "forbidden",
    "unknown_model",
    "wrong_task",
    "unknown_route",
    "wrong_method",
    "timeout",
    "payload_too_large",
    "wrong_media",
    "invalid",
    "too_many_inputs",
    "overloaded",
    "failed",
    "not_ready",
    "expired",
]

STATUS: Mapping[Reason, int] = {
    "unreadable": 400,  # no JSON, or not HTTP
    "unauthorized": 401,
    "forbidden": 403,
    "unknown_model": 404,
    "wrong_task": 400,  # the model is there, but does something else
    "unknown_route": 404,
    "wrong_method": 405,
    "timeout": 408,  # the request did not arrive in time
    "payload_too_large": 413,
    "wrong_media": 415,
    "invalid": 422,  # read, but it means nothing: a field that is missing, a text that is none, an option that does not exist
    "too_many_inputs": 413,
    "overloaded": 429,
    "failed": 500,
    "not_ready": 503,
    "expired": 504,  # the time that the client gave was over before its turn came
}
"""The usual HTTP status of each; a dialect may have its own."""


class RefusedError(HeadwayError):
    """A request that is not answered, and why. ``retry_after`` says in how many seconds it may be worth while to ask again."""

    def __init__(self, message: str, *, reason: Reason, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """The usual HTTP status."""
        return STATUS[self.reason]


def refusal(error: HeadwayError) -> RefusedError:
    """Any error as a refusal: what the library refuses is the client's mistake, unless the model or its files are at fault."""
    if isinstance(error, RefusedError):
        return error
    is_ours = isinstance(error, CheckpointError | EngineError)
    said = RefusedError(str(error), reason="failed" if is_ours else "invalid")
    said.__cause__ = error
    return said
