"""The threads that compute, and what waits for them. They belong to the server: more clients make more wait, not more threads.

A free worker first encodes what has arrived, then runs a batch, so that one encodes while another computes. What it takes is
decided by functions of ``batching``.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headway.errors import EngineError, HeadwayError
from headway.serving.batching import caught_up, next_batch, next_queue
from headway.serving.counters import Counters
from headway.serving.jobs import Job, Piece, companies, encode_together, run_pieces
from headway.serving.loaded import Loaded

MOST_ENCODED = 64
"""Requests that one worker encodes at once: enough that the others find company, few enough that they do not stand idle."""

MISTAKE = EngineError(
    "The request could not be answered, for a reason that is the server's and not the request's; its log says more. Tell the "
    "operator."
)
LOOKED_AT = 1024
"""Sequences of a queue among which company is sought: those that are due first."""


@dataclass(eq=False)
class Queue:
    """What waits for one model, those that are due first before the others, and how many seconds of computing it has used."""

    model: Loaded
    pieces: list[Piece] = field(default_factory=list)
    used: float = 0.0


class Workers:
    """Threads that answer jobs. ``submit`` is for any thread; ``deliver`` gets the jobs that are done, from a worker."""

    def __init__(self, count: int, *, counters: Counters, most_tokens: int, deliver: Callable[[Sequence[Job]], None]) -> None:
        self.counters, self.most_tokens, self.deliver = counters, most_tokens, deliver
        self._arrived = deque[Job]()
        self._queues = dict[int, Queue]()
        self._changed = threading.Condition()
        self._free = self._running = self._tokens = 0
        self._is_stopped = False
        self._threads = list[threading.Thread]()
        for _ in range(count):
            self._start()

    @property
    def waiting_tokens(self) -> int:
        """Tokens that wait."""
        return self._tokens

    def arrived(self) -> int:
        """Requests that nobody has encoded yet."""
        return len(self._arrived)

    def submit(self, job: Job) -> None:
        """Have a job done. Where all workers are busy, nobody is told: they look for themselves once they are free."""
        self._arrived.append(job)
        if self._free:  # whoever counts itself as free before it looks cannot miss a job that came before this was read
            with self._changed:
                self._changed.notify()

    def forget_retired(self) -> None:
        """Let go of models that are served no longer, where nothing waits for them."""
        with self._changed:
            self._queues = {key: queue for key, queue in self._queues.items() if queue.pieces or not queue.model.is_retired}

    def stop(self) -> None:
        """Let the threads end after what they do now."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="headway-serve", daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def _work(self) -> None:
        """Work until the end. A mistake of ours ends the thread, which says so in the log; another one takes its place."""
        try:
            while self._step():
                pass
        finally:
            if not self._is_stopped:
                self._start()

    def _step(self) -> bool:
        """Encode what has arrived and run a batch; False where there will be no more to do."""
        with self._changed:
            self._free += 1
            self._changed.wait_for(lambda: self._arrived or self._tokens or self._is_stopped)
            self._free -= 1
            if self._is_stopped:
                return False
            arrived = [self._arrived.popleft() for _ in range(min(MOST_ENCODED, len(self._arrived)))]
        if arrived:
            self._encode(arrived)
        with self._changed:
            queue, pieces, alone = self._take()
            self._running += bool(pieces)
        if queue is not None:
            self._run(queue, pieces, alone=alone)
        return True

    def _encode(self, jobs: Sequence[Job]) -> None:
        """Encode jobs, and let their sequences wait. Where a mistake of ours ends that, what is left is put back."""
        left = companies(self._wanted(jobs))
        try:
            while left:
                done = self._encode_company(left[0])
                del left[0]
                self._finish(done)
        finally:
            if left:
                self._put_back(left)

    def _wanted(self, jobs: Sequence[Job]) -> list[Job]:
        for job in jobs:
            if job.is_gone:
                self.counters.count_dropped(job)
        return [job for job in jobs if not job.is_gone]

    def _encode_company(self, jobs: Sequence[Job]) -> list[Job]:
        """Encode jobs together; those that have nothing to compute, because they cannot be read."""
        by_job = encode_together(jobs)
        with self._changed:
            self._enqueue(jobs[0].model, [piece for pieces in by_job for piece in pieces])
        return [job for job, pieces in zip(jobs, by_job, strict=True) if not pieces]

    def _put_back(self, left: Sequence[Sequence[Job]]) -> None:
        """After a mistake in the first company: one that was by itself fails, others are encoded once more, each by itself."""
        failed = left[0] if len(left[0]) == 1 else []
        again = [job for company in left[len(failed) :] for job in company]
        for job in failed:
            job.failure = MISTAKE
        for job in left[0]:
            job.is_apart = True
        with self._changed:
            self._arrived.extendleft(reversed(again))
        self.deliver(failed)

    def _enqueue(self, model: Loaded, pieces: Sequence[Piece]) -> None:
        queue = self._queues.setdefault(id(model), Queue(model))
        if not queue.pieces:
            queue.used = caught_up(queue.used, [other.used for other in self._queues.values() if other.pieces])
        queue.pieces += pieces
        queue.pieces.sort(key=lambda piece: piece.waiting.due)
        self._waits(queue, pieces, sign=1)
        if self._free and len(pieces) > 1:
            self._changed.notify()

    def _waits(self, queue: Queue, pieces: Sequence[Piece], *, sign: int) -> None:
        """Sequences more, or with the sign -1 fewer, wait."""
        tokens = sum(piece.waiting.tokens for piece in pieces)
        self._tokens += sign * tokens
        self.counters.count_waiting(sign * len(pieces), sign * tokens, model=queue.model.served.name)

    def _take(self) -> tuple[Queue | None, list[Piece], bool]:
        """The next batch, and whether it is all that there is to do."""
        queues = list(self._queues.values())
        for queue in queues:
            if any(piece.job.is_gone for piece in queue.pieces):
                self._drop_gone(queue)
        turn = next_queue([queue.used for queue in queues], [len(queue.pieces) for queue in queues])
        if turn is None:
            return None, [], False
        queue = queues[turn]
        looked_at = queue.pieces[:LOOKED_AT]
        budget = min(queue.model.engine.token_budget, self.most_tokens)
        places = next_batch([piece.waiting for piece in looked_at], token_budget=budget, free_workers=self._free + 1)
        taken, chosen = [queue.pieces[place] for place in places], set(places)
        queue.pieces = [piece for place, piece in enumerate(queue.pieces) if place not in chosen]
        self._waits(queue, taken, sign=-1)
        if self._tokens:
            self._changed.notify()
        return queue, taken, not self._tokens and not self._running and not self._arrived

    def _drop_gone(self, queue: Queue) -> None:
        gone = [piece for piece in queue.pieces if piece.job.is_gone]
        queue.pieces = [piece for piece in queue.pieces if not piece.job.is_gone]
        self._waits(queue, gone, sign=-1)
        for job in {piece.job for piece in gone}:
            self.counters.count_dropped(job)

    def _run(self, queue: Queue, pieces: Sequence[Piece], *, alone: bool) -> None:
        began = time.monotonic()
        failure: HeadwayError | None = MISTAKE
        jobs = list(dict.fromkeys(piece.job for piece in pieces))
        done = list[Job]()
        try:
            failure = run_pieces(pieces, alone=alone)
        finally:
            took = time.monotonic() - began
            self.counters.count_batch([piece.waiting.tokens for piece in pieces], model=queue.model.served.name, seconds=took)
            with self._changed:
                queue.used += took
                self._running -= 1
                for piece in pieces:
                    piece.job.left -= 1
                    piece.job.failure = piece.job.failure or failure
                done = [job for job in jobs if not job.left]
                self._forget_idle()
            self._finish(done)

    def _forget_idle(self) -> None:
        """Leave out the queues of models that were replaced, so that these can go."""
        if len(self._queues) > 1:
            self._queues = {key: queue for key, queue in self._queues.items() if queue.pieces or not queue.model.is_retired}

    def _finish(self, jobs: Sequence[Job]) -> None:
        left = [job for job in jobs if job.failure is None and not job.is_gone]
        for job in left:
            job.failure = MISTAKE
        try:
            for job in left:
                job.answer()
                job.failure = None
        finally:
            self.deliver(jobs)
