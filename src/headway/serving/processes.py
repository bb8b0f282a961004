"""Several processes on one port: made by forking after the models were loaded, so that they share one copy of the weights.

A process that dies is replaced by another fork. Unusual: the parent only loads, waits, and passes on what the processes have to
tell each other. It runs no threads, without which forking is safe, and no request ever reaches it.
"""

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from headway.errors import HeadwayError
from headway.serving.control import Command, Line, Member, Message
from headway.serving.logs import Log

SHORTEST_LIFE = 1.0
"""Seconds: where a process did not live so long, no other is made for as long."""

GRACE = 5.0
HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_processes(count: int, work: Callable[[Member], None], *, drain_seconds: float) -> None:
    """Keep ``count`` processes at ``work`` until told to stop (SIGTERM, SIGINT; the second SIGINT does not wait for them).

    SIGHUP has all of them load the models that have changed.
    """
    family = _Family(count, work, patience=drain_seconds + GRACE)
    while family.children or not family.is_stopping:
        family.fill()
        family.wait()


@dataclass(eq=False)
class _Child:
    """A process that lives: its part of the board, the line to it, and when it was born."""

    pid: int
    place: int
    line: Line
    born: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class _Order:
    """What some processes are told to do: who still does it, what went wrong, and who asked for it, with its number for that."""

    left: set[int]
    asker: _Child | None = None
    number: int = 0
    errors: list[str] = field(default_factory=list)


class _Family:
    """The processes, and what they have to know."""

    def __init__(self, count: int, work: Callable[[Member], None], *, patience: float) -> None:
        self.count, self.work, self.patience = count, work, patience
        self.children = dict[int, _Child]()
        self.is_stopping = False
        self.has_changed = False
        self.unloaded = set[str]()
        self._orders = dict[int, _Order]()
        self._ordered = 0
        self._not_before = self._kill_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._signals, self._woken = socket.socketpair()
        self._listen_to_signals()

    def fill(self) -> None:
        """Fork as many as are missing. Signals wait meanwhile, so that none meets a child with its parent's ears."""
        if self.is_stopping or time.monotonic() < self._not_before:
            return
        for place in sorted({*range(self.count)} - {child.place for child in self.children.values()}):
            signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
            try:
                self._fork(place)
            except OSError as error:
                self._not_before = time.monotonic() + SHORTEST_LIFE
                Log("text").say(f"headway: no process could be made ({error}). The others serve on; it is tried again.")
                return
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)

    def _fork(self, place: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = os.fork()
            if not pid:
                ours.close()
                self._be_a_worker(place, theirs)
        self.children[pid] = _Child(pid, place, Line(ours))
        self._selector.register(ours, selectors.EVENT_READ, self.children[pid])

    def wait(self) -> None:
        """Do what there is to do next, when there is something."""
        ready = self._selector.select(self._patience())
        for key, events in ready:
            if key.data is None:
                self._heed(self._woken.recv(4096))
            elif events & selectors.EVENT_READ:
                self._hear(key.data)
        for child in self.children.values():
            unsent = 0 if child.line.flush() else selectors.EVENT_WRITE
            self._selector.modify(child.line.end, selectors.EVENT_READ | unsent, child)
        if self._kill_at and time.monotonic() >= self._kill_at:
            self._tell(signal.SIGKILL)

    def _patience(self) -> float | None:
        """Seconds until something has to be done though nothing comes; None for ever."""
        now = time.monotonic()
        if self._kill_at:
            return max(0.1, self._kill_at - now)
        return max(0.0, self._not_before - now) if len(self.children) < self.count else None

    def _listen_to_signals(self) -> None:
        """Signals are read where all else is, one after the other, so that nothing happens in the midst of something."""
        self._signals.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._signals.fileno())
        for number in HEARD:
            signal.signal(number, lambda *_: None)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def _heed(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGHUP:
                self._order("reload", "")
            elif number == signal.SIGINT and self.is_stopping:
                self._tell(signal.SIGKILL)
            elif number in (signal.SIGTERM, signal.SIGINT):
                self.is_stopping = True
                self._kill_at = time.monotonic() + self.patience
                self._tell(signal.SIGTERM)

    def _hear(self, child: _Child) -> None:
        messages = child.line.take()
        if messages is None:
            self._lost(child)
        for message in messages or ():
            if "ask" in message:
                self._order(message["command"], message["model"], asker=child, number=message["ask"])
            else:
                self._done(child, message)

    def _order(self, command: Command, model: str, *, asker: _Child | None = None, number: int = 0) -> None:
        """Have all but the asker do something, and those that are forked from now on know of it."""
        if command == "unload":
            self.unloaded.add(model)
        else:
            self.has_changed = True
            self.unloaded = self.unloaded - {model} if command == "load" else set()
        self._ordered += 1
        others = {pid: child for pid, child in self.children.items() if child is not asker}
        order = self._orders[self._ordered] = _Order({*others}, asker, number)
        for child in others.values():
            child.line.put({"do": self._ordered, "command": command, "model": model})
        self._settle(self._ordered, order)

    def _done(self, child: _Child, message: Message) -> None:
        order = self._orders.get(message["done"])
        if order is not None:
            order.left.discard(child.pid)
            order.errors += [f"process {child.pid}: {message['error']}"] if message["error"] else []
            self._settle(message["done"], order)

    def _settle(self, key: int, order: _Order) -> None:
        if order.left:
            return
        del self._orders[key]
        if order.asker is not None:
            order.asker.line.put({"told": order.number, "errors": order.errors})
        elif order.errors:
            Log("text").say(f"headway: {'; '.join(order.errors)}")

    def _lost(self, child: _Child) -> None:
        self._selector.unregister(child.line.end)
        child.line.end.close()
        del self.children[child.pid]
        os.waitpid(child.pid, 0)
        for key, order in list(self._orders.items()):
            order.left.discard(child.pid)  # whoever takes its place knows of it
            self._settle(key, order)
        lived = time.monotonic() - child.born
        if not self.is_stopping:
            self._not_before = time.monotonic() + (SHORTEST_LIFE if lived < SHORTEST_LIFE else 0)
            Log("text").say(f"headway: process {child.pid} has ended after {lived:.0f} seconds and is replaced.")

    def _tell(self, number: int) -> None:
        for pid in self.children:
            os.kill(pid, number)

    def _be_a_worker(self, place: int, end: socket.socket) -> None:
        self._forget_parenthood()
        status = 1
        try:
            self.work(Member(place=place, end=end, has_changed=self.has_changed, unloaded=frozenset(self.unloaded)))
            status = 0
        except HeadwayError as error:
            Log("text").say(f"headway: {error}")
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _forget_parenthood(self) -> None:
        """Leave to the parent what is the parent's: its group, for a Ctrl-C is for it alone, its signals and its lines."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in HEARD:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        self._selector.close()
        for end in (self._signals, self._woken, *(child.line.end for child in self.children.values())):
            end.close()
