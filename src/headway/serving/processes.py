"""Several processes on one port: made by forking after the models were loaded, so that they share one copy of the weights.

A process that dies is replaced by another fork. Unusual: the parent only loads and waits. It runs no threads, without which
forking is safe, and no request ever reaches it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from headway.errors import HeadwayError
from headway.serving.logs import Log

SHORTEST_LIFE = 1.0
"""Seconds: a process that did not live so long is replaced only after as long a pause."""

GRACE = 5.0
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_processes(count: int, work: Callable[[bool], None], *, drain_seconds: float) -> None:
    """Keep ``count`` processes at ``work`` until told to stop (SIGTERM, SIGINT); SIGHUP is passed on to them.

    ``work`` is told whether models may have changed on the disk since the parent loaded them.
    """
    family = _Family(count, work, patience=drain_seconds + GRACE)
    for number, handler in {
        signal.SIGTERM: family.stop,
        signal.SIGINT: family.stop,
        signal.SIGHUP: family.pass_on,
        signal.SIGALRM: family.kill,
    }.items():
        signal.signal(number, handler)
    family.fill()
    while family.born:
        pid, _ = os.waitpid(-1, 0)
        family.lost(pid)
        if not family.is_stopping:
            family.fill()


class _Family:
    """The processes that live, by id, with when they were born."""

    def __init__(self, count: int, work: Callable[[bool], None], *, patience: float) -> None:
        self.count, self.work, self.patience = count, work, patience
        self.born = dict[int, float]()
        self.is_stopping = False
        self.has_changed = False

    def fill(self) -> None:
        """Fork as many as are missing. Signals wait meanwhile, so that none meets a child with its parent's handlers."""
        while len(self.born) < self.count:
            signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
            pid = 0 if self.is_stopping else os.fork()
            if not pid and not self.is_stopping:
                self._be_a_worker()
            if pid:
                self.born[pid] = time.monotonic()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
            if self.is_stopping:
                return

    def lost(self, pid: int) -> None:
        lived = time.monotonic() - self.born.pop(pid)
        if not self.is_stopping:
            Log("text").say(f"headway: process {pid} has ended after {lived:.0f} seconds and is replaced.")
            time.sleep(SHORTEST_LIFE if lived < SHORTEST_LIFE else 0)

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.is_stopping = True
        self._tell(signal.SIGTERM)
        signal.setitimer(signal.ITIMER_REAL, self.patience)

    def kill(self, number: int, frame: FrameType | None) -> None:
        """End those that did not end by themselves."""
        self._tell(signal.SIGKILL)

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        self.has_changed = True
        self._tell(signal.SIGHUP)

    def _tell(self, number: int) -> None:
        for pid in self.born:
            os.kill(pid, number)

    def _be_a_worker(self) -> None:
        for number in PASSED_ON:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        status = 1
        try:
            self.work(self.has_changed)
            status = 0
        except HeadwayError as error:
            Log("text").say(f"headway: {error}")
        finally:
            sys.stderr.flush()
            os._exit(status)
