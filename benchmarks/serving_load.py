"""A closed loop of requests over loopback, and the servers that are asked: what ``serving.py`` measures with.

The clients are one process without threads, which does as little as it can: what it takes of the cores is the server's loss.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STARTING, WARMING = 240.0, 0.5
"""Seconds that a server may take to start, and for which it is asked before anything counts."""


@dataclass(frozen=True)
class Model:
    """A model as it is served, its task, and where and under which name a sentence is asked for."""

    served: str
    task: str
    path: str
    key: str

    def request(self, text: str, *, path: str | None = None) -> bytes:
        """The bytes of a request."""
        body = json.dumps({self.key: text, "model": self.served.partition("=")[0]}).encode()
        head = [f"POST {path or self.path} HTTP/1.1", "Host: a", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*head, "", ""]).encode() + body


@dataclass
class Run:
    """Milliseconds of the requests that count, how many were answered in all, how many not, and CPU seconds by who took them."""

    ms: list[float]
    count: int
    failed: int
    seconds: float
    server: float
    clients: float
    others: float


class Server:
    """A server in processes of its own."""

    def __init__(self, command: Sequence[str], *, port: int, environment: Mapping[str, str] | None = None) -> None:
        self.port = port
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + STARTING
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.end()
                raise SystemExit(f"{' '.join(command)} did not begin to serve.")
            time.sleep(0.2)

    def run(self, streams: Sequence[Sequence[bytes]], seconds: float, *, last: int = 0) -> Run:
        """Load the server, after a while to get warm; the ``last`` streams do not count for the times."""
        load(self.port, streams, min(WARMING, seconds))
        began, server, clients, all_cpu = time.perf_counter(), self._cpu(), time.process_time(), machine_cpu()
        found = load(self.port, streams, seconds)
        took, all_cpu = time.perf_counter() - began, machine_cpu() - all_cpu
        server, clients = self._cpu() - server, time.process_time() - clients
        return Run(
            ms=[one for client in found[: len(found) - last] for one in client.ms],
            count=sum(len(client.ms) for client in found),
            failed=sum(client.failed for client in found),
            seconds=took,
            server=server,
            clients=clients,
            others=max(0.0, all_cpu - server - clients),
        )

    def end(self) -> None:
        """End it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def ask(self, path: str, body: bytes | None = None) -> Any:
        """The JSON that it answers."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, {"content-type": "application/json"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.loads(answer.read())

    def _answers(self) -> bool:
        try:
            self.ask("/health" if "infinity" in str(self.process.args) else "/live")
        except OSError:
            return False
        return True

    def _cpu(self) -> float:
        """CPU seconds of its processes so far."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sum(process_cpu(one) for one in (str(pid), *children))


def process_cpu(pid: str) -> float:
    """CPU seconds of a process so far."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def machine_cpu() -> float:
    """CPU seconds of everything on this machine so far."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def serve(model: Model, workers: int) -> Server:
    """This library's server, as it is by default."""
    port = free_port()
    flags = ["--port", str(port), "--log", "none", "--workers", str(workers)]
    return Server([sys.executable, "-m", "headway", "serve", model.served, *flags], port=port)


def infinity(python: Path, model: Model) -> Server:
    """The peer's server, as it is by default on a CPU."""
    port, (name, _, folder) = free_port(), model.served.partition("=")
    flags = ["--model-id", folder, "--served-model-name", name, "--device", "cpu", "--engine", "torch", "--port", str(port)]
    flags += ["--host", "127.0.0.1", "--log-level", "error"]
    command = [str(python.with_name("infinity_emb")), "v2", *flags]
    return Server(command, port=port, environment={"DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"})


@dataclass
class Client:
    """A connection, what it asks, what came of the answer so far, how long its answers took, and how many never came."""

    port: int
    requests: Sequence[bytes]
    place: int = 0
    failed: int = 0
    asked: float = 0.0
    read: bytes = b""
    ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        """Open a connection."""
        self.connection = socket.create_connection(("127.0.0.1", self.port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        """Send the next request."""
        self.asked = time.perf_counter()
        self.connection.sendall(self.requests[self.place])
        self.place = (self.place + 1) % len(self.requests)

    def is_answered(self) -> bool:
        """Read what is there; whether the answer is whole."""
        data = self.connection.recv(1 << 18)
        if not data:
            raise ConnectionResetError
        self.read = self.read + data if self.read else data
        if not is_whole(self.read):
            return False
        self.ms.append(1000 * (time.perf_counter() - self.asked))
        self.read = b""
        return True


def load(port: int, streams: Sequence[Sequence[bytes]], seconds: float) -> list[Client]:
    """A closed loop of each stream on a connection of its own. One that the server closes counts as failed, and asks anew."""
    clients, poll = [Client(port, stream) for stream in streams], select.epoll()
    by_number = {client.connection.fileno(): client for client in clients}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    end, left = time.perf_counter() + seconds, len(clients)
    for client in clients:
        client.ask()
    while left:
        for number, _ in poll.poll():
            client = by_number[number]
            try:
                if not client.is_answered():
                    continue
            except ConnectionError:
                client.failed += 1
                client.connection.close()
                client.connect()
                by_number[client.connection.fileno()] = client
                poll.register(client.connection.fileno(), select.EPOLLIN)
            if time.perf_counter() < end:
                client.ask()
            else:
                left -= 1
    poll.close()
    for client in clients:
        client.connection.close()
    return clients


def is_whole(answer: bytes) -> bool:
    """Whether an answer is there with its body, which has the length that its head says."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
    start = answer.find(b"content-length: ", 0, end) + 16
    return len(answer) - end - 4 >= int(answer[start : answer.find(b"\r", start)])
