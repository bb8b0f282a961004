"""What dialects may ask of the engine room."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from headway.serving.attention import Attended
from headway.serving.exchange import Answers, Ask, Served
from headway.settings.serving import Limits

Found = TypeVar("Found")


class Service(Protocol):
    """The models that are served. All of it is called on the event loop and none of it blocks it.

    What cannot be done is a ``RefusedError``, or the error of the library that says why an input or option is refused.
    """

    @property
    def limits(self) -> Limits:
        """What a request may ask for; the service itself holds requests to them."""
        ...

    def models(self) -> Sequence[Served]:
        """All that is served now, the first one first."""
        ...

    def find(self, model: str | None = None, *, task: str | None = None) -> Served:
        """The served model of this name that does this task; without a name the first that does.

        Refused as ``unknown_model`` or as ``wrong_task``.
        """
        ...

    async def answer(self, ask: Ask) -> Answers:
        """The answers to all items. An item that cannot be answered has its error in its place.

        Refused as a whole: ``overloaded``, ``too_many_inputs``, ``expired``, ``not_ready``, ``unknown_model``, ``wrong_task``, or
        options that the task does not have. Whoever cancels the call takes back what has not begun.
        """
        ...

    async def attention(self, ask: Ask, *, layer: int | None) -> Attended:
        """How a layer of the model, by default the last, attends to the only item of an ask. Refused as ``answer`` is."""
        ...

    async def compute(self, function: Callable[[], Found]) -> Found:
        """What a function returns that takes longer than the event loop may stand still; it runs in a thread of the server's."""
        ...

    def is_ready(self, model: str | None = None) -> bool:
        """Whether requests are answered: all models are there, or the one named, and the server is not being stopped."""
        ...

    def metrics(self) -> str:
        """The counters, in Prometheus' text format."""
        ...

    async def load(self, model: str) -> Sequence[Served]:
        """Load a model of the operator's list anew, from where the list says; its old version answers until then."""
        ...

    async def unload(self, model: str) -> None:
        """Serve a model no longer; what was asked of it before is answered."""
        ...
