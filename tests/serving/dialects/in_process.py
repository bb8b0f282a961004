"""A service without an engine room: every ask is answered by ``pipeline()`` itself, so that dialects are held to it alone."""

import asyncio
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from headway import Pipeline, pipeline
from headway.core.batching import TokenSequence
from headway.errors import HeadwayError
from headway.inference.schedule import Answered, places
from headway.serving.attention import Attended, Attention, attended
from headway.serving.exchange import Answers, Ask, Served, Timings
from headway.serving.http import HttpRequest, HttpResponse
from headway.serving.refusals import RefusedError
from headway.serving.routing import respond, router
from headway.settings.serving import Limits
from headway.tasks import Encoded
from headway.tasks import task as find_task


@dataclass
class Model:
    """A folder under a name, with the tasks that may be asked of it, its own first."""

    name: str
    folder: Path
    tasks: tuple[str, ...]
    pipes: dict[str, Pipeline] = field(default_factory=dict)

    def pipe(self, task: str) -> Pipeline:
        """The model's pipeline for a task."""
        if task not in self.pipes:
            self.pipes[task] = pipeline(task, self.folder, precision="fp32")
        return self.pipes[task]

    @cached_property
    def served(self) -> Served:
        """What the service says of it."""
        own = self.pipe(self.tasks[0])
        return Served(
            name=self.name,
            task=self.tasks[0],
            tasks=self.tasks,
            version=f"{len(self.name):064x}",
            precision="fp32",
            max_tokens=41,
            facts=own.facts,
            loaded_at=1_700_000_000.5,
        )


class PipelineService:
    """Answers by ``pipeline()``, refuses what the engine room would refuse."""

    def __init__(self, models: Sequence[Model], *, limits: Limits | None = None) -> None:
        self.by_name = {model.name: model for model in models}
        self.limits = limits or Limits()
        self.ready = True
        self.asked: list[Ask] = []

    def models(self) -> list[Served]:
        return [model.served for model in self.by_name.values()]

    def find(self, model: str | None = None, *, task: str | None = None) -> Served:
        name = None if task is None else find_task(task).name
        if model is not None and model not in self.by_name:
            raise RefusedError(f"There is no model {model!r} here. Known: {', '.join(self.by_name)}.", reason="unknown_model")
        able = [one for one in self.models() if model in (None, one.name) and name in (None, *one.tasks)]
        if not able:
            raise RefusedError(f"No model does {task} here. GET /tasks says what is done.", reason="wrong_task")
        return able[0]

    async def answer(self, ask: Ask) -> Answers:
        self.asked.append(ask)
        served = self.find(ask.model, task=ask.task)
        pipe = self.by_name[served.name].pipe(ask.task or served.task)
        task = find_task(pipe.task)
        prepared = task.prepare(pipe.facts, pipe.choose(**ask.options))
        return Answers(
            served=served,
            task=task.name,
            places=_places(ask.items, prepared, pipe),
            timings=Timings(tokenization=0.0011, queue=0.0022, inference=0.0033, total=0.0077),
            prepared=prepared,
            given=frozenset(ask.options),
        )

    async def attention(self, ask: Ask, *, layer: int | None) -> Attended:
        served = self.find(ask.model, task=ask.task)
        pipe = self.by_name[served.name].pipe(ask.task or served.task)
        (encoded,) = find_task(pipe.task).prepare(pipe.facts, pipe.choose(**ask.options)).encode(ask.items)
        return attended(Attention().of(pipe.engine), encoded.sequences, layer=layer)

    async def compute(self, function: Any) -> Any:
        return function()

    def is_ready(self, model: str | None = None) -> bool:
        return self.ready and (model is None or model in self.by_name)

    def metrics(self) -> str:
        return "headway_requests_total 3\n"

    async def load(self, model: str) -> list[Served]:
        return [self.find(model)]

    async def unload(self, model: str) -> None:
        del self.by_name[self.find(model).name]


def _places(items: Sequence[Any], prepared: Any, pipe: Pipeline) -> list[Answered | HeadwayError]:
    """Answers in the batches that ``pipeline()`` makes, so that they are equal to the last bit; those of token ids alone."""
    if not any(isinstance(item, TokenSequence) for item in items):
        return list(places(items, prepared, pipe.engine))
    return [place for item in items for place in _alone(item, prepared, pipe)]


def _alone(item: Any, prepared: Any, pipe: Pipeline) -> list[Answered | HeadwayError]:
    if not isinstance(item, TokenSequence):
        return list(places([item], prepared, pipe.engine))
    (outputs,) = pipe.engine.run([item])
    encoded = Encoded((item,))
    return [Answered(prepared.decode([prepared.reduce(outputs, encoded, part=0)], encoded), len(item))]


ROUTES = router()


def send(service: Any, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """What a request is answered; a body that is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    path, _, query = path.partition("?")
    request = HttpRequest(
        method=method, path=path, body=data, headers=headers or {}, query_string=query, id="1", arrived=time.monotonic()
    )
    return asyncio.run(respond(request, service, routes=ROUTES))


def post(service: Any, path: str, body: Any, **headers: str) -> Any:
    """The JSON of a POST that is answered."""
    found = send(service, "POST", path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})
    assert found.status == 200, found.body
    return json.loads(found.body)


def get(service: Any, path: str) -> Any:
    """The JSON of a GET that is answered."""
    found = send(service, "GET", path)
    assert found.status == 200, found.body
    return json.loads(found.body)


def refused(service: Any, path: str, body: Any, *, method: str = "POST") -> tuple[int, Any]:
    """The status and JSON of a request that is refused."""
    found = send(service, method, path, body)
    assert found.status >= 400, found.body
    return found.status, json.loads(found.body)


class Loopback:
    """The same over a socket of this machine, for clients that want one: ``with Loopback(service) as url``."""

    def __init__(self, service: Any) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *about: _Handler(service, *about))
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, service: Any, *about: Any) -> None:
        self.service = service
        super().__init__(*about)

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        found = send(self.service, self.command, unquote(self.path), body, headers=headers)
        self.send_response(found.status)
        for name, value in {"content-type": found.media_type, "content-length": len(found.body), **found.headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(found.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
