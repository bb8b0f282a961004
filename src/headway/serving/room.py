"""The engine room: the models that are served, and everything that is asked of them, batched together."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from headway.core.batching import TokenSequence
from headway.errors import HeadwayError, TaskError
from headway.inference.engine import usable_cores
from headway.serving.attention import Attended, attended
from headway.serving.batching import due_time
from headway.serving.control import Command, Others
from headway.serving.counters import Counters
from headway.serving.exchange import Answers, Ask, Served
from headway.serving.jobs import Job, expired
from headway.serving.loaded import Loaded, Source, current_version, load
from headway.serving.memory import give_back
from headway.serving.refusals import RefusedError, refusal
from headway.serving.telemetry import Traces
from headway.serving.workers import Workers
from headway.settings.serving import Limits
from headway.tasks import task as find_task

Found = TypeVar("Found")

GIVE_BACK_AFTER = 5.0
"""Seconds after which a model that is served no longer should have answered all that was asked of it."""

TAKES_TOKENS = ("feature-extraction", "sentence-embeddings", "text-classification")


class Room:
    """Models that answer whatever comes, in batches. Its methods are called on one event loop, which none of them blocks."""

    def __init__(
        self,
        models: Sequence[Loaded],
        *,
        limits: Limits,
        threads: int | None = None,
        counters: Counters | None = None,
        others: Others | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.limits = limits
        self.counters = counters or Counters()
        self.is_stopping = False
        self.others, self.traces = others, traces
        self.threads = threads or usable_cores()
        self._models = {model.source: model for model in models}
        self._sources = [model.source for model in models]
        self._found = dict[tuple[str | None, str | None], Loaded]()
        """The models for the names and tasks that were asked for before."""
        self._under_way = 0
        self._loading = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._helpers = ThreadPoolExecutor(2, thread_name_prefix="headway-helper")
        self._workers = Workers(self.threads, counters=self.counters, most_tokens=limits.max_batch_tokens, deliver=self._deliver)

    def models(self) -> Sequence[Served]:
        return [model.served for model in self._models.values()]

    def find(self, model: str | None = None, *, task: str | None = None) -> Served:
        return self._find(model, task).served

    async def answer(self, ask: Ask) -> Answers:
        model = self._find(ask.model, ask.task)
        task = find_task(ask.task or model.served.task)
        try:
            self._admit(ask, model.served, task=task.name)
            prepared = model.prepare(task, ask.options)
        except HeadwayError as error:
            self.counters.count_refused(refusal(error).reason, model=model.served.name, task=task.name)
            raise
        self._loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = self._loop.create_future()
        deadline = None if ask.timeout is None else ask.arrived + ask.timeout
        job = Job(
            ask=ask,
            task=task.name,
            model=model,
            prepared=prepared,
            due=due_time(ask.arrived, priority=ask.priority, deadline=deadline),
            waiter=done,
        )
        self._is_under_way(1)
        try:
            self._workers.submit(job)
            await (done if deadline is None else _within(done, deadline))
        except TimeoutError:
            job.is_gone = True
            self._count(job, "expired")
            raise expired(ask) from None
        except asyncio.CancelledError:
            job.is_gone = True
            raise
        finally:
            self._is_under_way(-1)
        return self._finished(job)

    async def attention(self, ask: Ask, *, layer: int | None) -> Attended:
        model = self._find(ask.model, ask.task)
        task = find_task(ask.task or model.served.task)
        self._admit(ask, model.served, task=task.name)

        def attend() -> Attended:
            (encoded,) = model.prepare(task, ask.options).encode(ask.items)
            return attended(model.attention.of(model.engine), encoded.sequences, layer=layer)

        self._is_under_way(1)
        try:
            found = asyncio.ensure_future(self.compute(attend))
            return await (found if ask.timeout is None else _within(found, ask.arrived + ask.timeout))
        except TimeoutError:
            raise expired(ask) from None
        finally:
            self._is_under_way(-1)

    async def compute(self, function: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._helpers, function)

    def is_ready(self, model: str | None = None) -> bool:
        if self.is_stopping or len(self._models) < len(self._sources):
            return False
        return bool(self._models) and (model is None or any(one.name == model for one in self.models()))

    def metrics(self) -> str:
        return self.counters.text(
            {
                "headway_ready": ("Whether requests are answered.", self.is_ready()),
                "headway_models": ("Models that are served.", len(self._models)),
            }
        )

    async def load(self, model: str) -> Sequence[Served]:
        try:
            found = await self._load_named(model)
        except RefusedError:
            raise
        except HeadwayError as error:  # whatever it is about, it is no mistake of the request
            raise RefusedError(str(error), reason="failed") from error
        if self.others is not None:
            await self.others.tell("load", model)
        return found

    async def load_changed(self) -> Sequence[Served]:
        """Load every model of the list whose files have changed, or that was unloaded."""
        async with self._loading:
            return [await self._load(source) for source in self._sources if await self.compute(partial(self._changed, source))]

    async def unload(self, model: str) -> None:
        if all(source.name != model for source in self._models):
            raise self._unknown(model)
        self.drop(model)
        if self.others is not None:
            await self.others.tell("unload", model)

    async def do(self, command: Command, model: str) -> None:
        """What another process of this server was told to do."""
        if command == "load":
            await self._load_named(model)
        else:
            self.drop(model)

    def drop(self, model: str) -> None:
        """Serve a model no longer in this process; what was asked of it before is answered."""
        for source in [source for source in self._models if source.name == model]:
            self._models.pop(source).is_retired = True
            self._give_back()
        self._found.clear()

    async def drain(self, seconds: float) -> bool:
        """Wait until nothing is under way, as long as allowed; whether that came."""
        self.is_stopping = True
        until = time.monotonic() + seconds
        while self._under_way and time.monotonic() < until:
            await asyncio.sleep(0.02)
        return not self._under_way

    def close(self) -> None:
        """End the threads."""
        self.is_stopping = True
        self._workers.stop()
        self._helpers.shutdown(cancel_futures=True)

    def _is_under_way(self, more: int) -> None:
        self._under_way += more
        self.counters.count_under_way(more)

    def _changed(self, source: Source) -> bool:
        model = self._models.get(source)
        return model is None or current_version(source) not in (None, model.served.version)

    async def _load_named(self, model: str) -> Sequence[Served]:
        wanted = [source for source in self._sources if source.name == model]
        if not wanted:
            raise self._unknown(model)
        async with self._loading:
            return [await self._load(source) for source in wanted]

    async def _load(self, source: Source) -> Served:
        """A model in place of its old version, which answers until the new one has passed its self-test."""
        made = await self.compute(partial(load, source, threads=self.threads))
        old = self._models.get(source)
        order = {found: made if found == source else self._models.get(found) for found in self._sources}
        self._models = {found: model for found, model in order.items() if model is not None}
        self._found.clear()
        if old is not None:
            old.is_retired = True
            self._give_back()
        return made.served

    def _give_back(self) -> None:
        """A little later, when nothing is asked of retired models any more, let go of them and of the memory that they had."""

        def later() -> None:
            if not self.is_stopping:
                self._workers.forget_retired()
                self._helpers.submit(give_back)

        asyncio.get_running_loop().call_later(GIVE_BACK_AFTER, later)

    def _find(self, name: str | None, task: str | None) -> Loaded:
        found = self._found.get((name, task))
        if found is None:
            found = self._found[name, task] = self._look_for(name, task)
        return found

    def _look_for(self, name: str | None, task: str | None) -> Loaded:
        wanted = None if task is None else find_task(task).name
        named = [model for model in self._models.values() if name is None or model.served.name == name]
        if not named:
            raise self._unknown(name)
        able = [model for model in named if wanted is None or wanted in model.served.tasks]
        if not able:
            known = ", ".join(dict.fromkeys(task for model in named for task in model.served.tasks))
            raise RefusedError(
                f"{name or 'No model that is served'} {'does not do' if name else 'does'} {wanted}. What is done: {known}.",
                reason="wrong_task",
            )
        own = [model for model in able if wanted == model.served.task]
        return (own or able)[0]

    def _unknown(self, name: str | None) -> RefusedError:
        names = dict.fromkeys(source.name for source in self._sources)
        if name is None or name in names:
            return RefusedError(
                "No model of that name is loaded now. Ask again once the server says that it is ready.",
                reason="not_ready",
                retry_after=5.0,
            )
        return RefusedError(f"There is no model {name[:100]!r} here. Served are {', '.join(names)}.", reason="unknown_model")

    def _admit(self, ask: Ask, served: Served, *, task: str) -> None:
        if (count := len(ask.items)) > (most := self.limits.max_client_batch_size):
            raise RefusedError(
                f"The request has {count} inputs, but one may have {most} at most. Send several requests.",
                reason="too_many_inputs",
            )
        if task not in TAKES_TOKENS and any(isinstance(item, TokenSequence) for item in ask.items):
            raise TaskError(f"{task} does not read token ids here, since it has to know the text. Send the text itself.")
        too_many = self._under_way >= self.limits.max_concurrent_requests
        if too_many or self._workers.waiting_tokens >= self.limits.max_queued_tokens:
            raise RefusedError(
                f"The server has {self._under_way} requests to answer, as many as it takes. Ask again a little later.",
                reason="overloaded",
                retry_after=self._busy_for(),
            )

    def _busy_for(self) -> float:
        """Seconds that what waits takes at the speed so far."""
        speed = self.counters.sum("headway_batch_tokens_total") / max(0.001, self.counters.sum("headway_batch_seconds_total"))
        return float(max(1, math.ceil(self._workers.waiting_tokens / max(1.0, speed * self.threads))))

    def _finished(self, job: Job) -> Answers:
        if self.traces is not None:
            self.traces.job(job)
        if job.failure is not None:
            self._count(job, refusal(job.failure).reason)
            raise job.failure
        answers = job.answers()
        self._count(job, "answered", tokens=answers.tokens, queued=answers.timings.queue)
        return answers

    def _deliver(self, jobs: Sequence[Job]) -> None:
        """Say on the event loop, once for all of them, that jobs are done; where the loop is no more, nobody waits."""
        if jobs and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_set, [job.waiter for job in jobs])

    def _count(self, job: Job, outcome: str, *, tokens: int = 0, queued: float = 0.0) -> None:
        seconds = time.monotonic() - job.ask.arrived
        self.counters.count_request(job, outcome=outcome, seconds=seconds, queued=queued, tokens=tokens)


async def _within(done: "asyncio.Future[Found]", deadline: float) -> Found:
    async with asyncio.timeout(deadline - time.monotonic()):
        return await done


def _set(waiters: Sequence["asyncio.Future[None]"]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
