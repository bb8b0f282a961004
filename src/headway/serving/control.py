"""How the processes of a server tell each other what to do: by lines of JSON over pairs of sockets, through their parent.

A process that is told to load or unload a model does it, and then has the others do it too. Their parent passes that on, waits
for all of them, and says so to those that it forks later (``processes``).
"""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, TypeAlias

import orjson

from headway.errors import HeadwayError
from headway.serving.refusals import RefusedError

Command: TypeAlias = Literal["load", "unload", "reload"]
Message: TypeAlias = Mapping[str, Any]
Do: TypeAlias = Callable[[Command, str], Awaitable[None]]

LONGEST_WAIT = 300.0
"""Seconds that the other processes may take for one command."""
PIECE = 65536


@dataclass(frozen=True, kw_only=True)
class Member:
    """What a process is told when it is forked."""

    place: int
    """Which part of the board it has."""
    end: socket.socket
    """Its end of the pair of sockets; its parent has the other one."""
    has_changed: bool = False
    """Models may have changed on the disk since the parent loaded them."""
    unloaded: frozenset[str] = frozenset()
    """Models of the list that are served no longer."""


class Line:
    """One end of a pair of sockets. It never waits: what the other end has no room for yet is kept."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.end = end
        self._came, self._left = b"", b""

    def put(self, message: Message) -> None:
        """Send a message, or as much of it as there is room for."""
        self._left += orjson.dumps(message) + b"\n"
        self.flush()

    def flush(self) -> bool:
        """Send what was kept; whether all is sent. To an end that is no more all is."""
        try:
            while self._left:
                self._left = self._left[self.end.send(self._left) :]
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            self._left = b""
        return True

    def take(self) -> Sequence[Message] | None:
        """The messages that have come whole; None where the other end is no more."""
        piece = b""
        with suppress(BlockingIOError, ConnectionResetError):
            piece = self.end.recv(PIECE)
            if not piece:
                return None
        *lines, self._came = (self._came + piece).split(b"\n")
        return [orjson.loads(line) for line in lines]


class Others:
    """The other processes of a server, as one of them sees them. All of it is called on its event loop."""

    def __init__(self, end: socket.socket) -> None:
        self._line = Line(end)
        self._numbers = count()
        self._asked = dict[int, asyncio.Future[list[str]]]()
        self._tasks = set[asyncio.Task[None]]()

    def listen(self, do: Do) -> None:
        """From now on do what others are told. Where the parent is no more, this process ends as it would by SIGTERM."""
        asyncio.get_running_loop().add_reader(self._line.end, self._hear, do)

    async def tell(self, command: Command, model: str) -> None:
        """Have the others do it too; ``RefusedError`` says which of them could not."""
        number = next(self._numbers)
        self._asked[number] = asyncio.get_running_loop().create_future()
        self._line.put({"ask": number, "command": command, "model": model})
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                errors = await self._asked[number]
        except TimeoutError:
            errors = [f"not all have answered within {LONGEST_WAIT:g} seconds"]
        finally:
            del self._asked[number]
        if errors:
            raise RefusedError(
                f"This process did {command} {model}, but others of this server did not, and go on as before: "
                f"{'; '.join(errors)}. Mend that, and ask again.",
                reason="failed",
            )

    def _hear(self, do: Do) -> None:
        messages = self._line.take()
        if messages is None:
            asyncio.get_running_loop().remove_reader(self._line.end)
            os.kill(os.getpid(), signal.SIGTERM)
        for message in messages or ():
            if "do" in message:
                task = asyncio.create_task(self._do(message, do))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            elif message["told"] in self._asked and not self._asked[message["told"]].done():
                self._asked[message["told"]].set_result(message["errors"])

    async def _do(self, message: Message, do: Do) -> None:
        try:
            await do(message["command"], message["model"])
            error = ""
        except HeadwayError as failed:
            error = str(failed)
        self._line.put({"done": message["do"], "error": error})
