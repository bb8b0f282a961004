"""``headway serve`` under very many requests: whether its memory grows, and whether every answer is the right one.

    python benchmarks/serving_soak.py [--requests 1000000] [--connections 16] [--model sentiment] [--minutes 60]
    python benchmarks/serving_soak.py --idle 10000

Short sentences are asked for one a request over connections that stay open, all of which wait for their answers together. Every
answer is compared with what ``pipeline()`` says of the same text. Among them are requests that mean nothing, clients that vanish
before they are answered or in the midst of a body, and the model is loaded anew again and again. The result is written after
every hundredth of the requests, so that a run which is ended early keeps what it saw; it says how many requests it made.

With ``--idle`` so many connections are opened of which each asks once and then stays open: what they cost the server, and how
long others wait for their answers beside them.
"""

import argparse
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from measuring import machine, write_result

from headway import pipeline

LIVE = b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n"
PATH = b"/tasks/text-classification"
TEXTS = [
    f"{adverb} {word} {noun}"
    for adverb in ("a", "such a", "not a", "quite a", "hardly a")
    for word in ("good", "dull", "moving", "clumsy", "funny", "long")
    for noun in ("film", "story", "joke, and then some")
]
MALFORMED = (b"{", b"[]", b'{"inputs": 7}', b'{"inputs": ["a", null]}', b'{"inputs": "a", "options": {"top_k": "x"}}')
EVERY_MALFORMED, EVERY_VANISHED = 97, 211
RELOADS = 20
"""How often the model is loaded anew in all."""
SAMPLES = 100
BETWEEN = SAMPLES // RELOADS
"""Samples between two loadings."""
TOLERANCE = 1e-4
"""How far a score may be from that of the text alone: padding changes the last digits."""
ASKED, WATCHED, LATE = 200, 3.0, 60.0
"""Requests beside idle connections, seconds during which the server's own work is watched, and from when on an answer is late."""
COLUMNS = ["requests", "minutes", "resident MB", "private MB", "open files", "threads"]


def main() -> None:
    """Ask, watch, and keep what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=24 * 60.0, help="the most that it may take")
    parser.add_argument("--model", default="sentiment")
    parser.add_argument("--idle", type=int, help="so many connections that stay open, instead of very many requests")
    parser.add_argument("--result", default="serving_soak")
    arguments = parser.parse_args()
    if arguments.idle:
        write_result("serving_idle", idle(arguments.model, arguments.idle))
        return
    expected = [(one["label"], one["score"]) for one in pipeline(model=arguments.model)(TEXTS)]
    with Server(arguments.model) as server:
        soak = Soak(server, arguments.connections, expected, model=arguments.model)
        end = time.monotonic() + 60 * arguments.minutes
        every = max(1, arguments.requests // SAMPLES)
        while soak.sent < arguments.requests and time.monotonic() < end:
            soak.round()
            if soak.sent >= every * len(soak.samples):
                soak.look(reload=len(soak.samples) % BETWEEN == 0)
                write_result(arguments.result, soak.result(wanted=arguments.requests))


class Server:
    """A server in a process of its own, on a free port."""

    def __init__(self, model: str, *flags: str) -> None:
        command = [sys.executable, "-m", "headway", "serve", model, "--port", "0", "--log", "none", *flags]
        self.said = tempfile.TemporaryFile("a+")  # noqa: SIM115 - as long as the server
        self.process = subprocess.Popen(command, stderr=self.said)
        while not (found := re.search(r"serving at http://127.0.0.1:(\d+)", self.words())):
            assert self.process.poll() is None, self.words()
            time.sleep(0.1)
        self.port = int(found[1])

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self.said.close()

    def words(self) -> str:
        """What it has said so far."""
        self.said.seek(0)
        return self.said.read()

    def cpu_seconds(self) -> float:
        """CPU time of the server so far."""
        values = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")

    def facts(self) -> list[float]:
        """Megabytes resident and of its own, open files and threads."""
        folder = Path(f"/proc/{self.process.pid}")
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        resident, private = (float(status[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
        return [round(resident, 1), round(private, 1), len(os.listdir(folder / "fd")), int(status["Threads"])]


class Client:
    """A connection that stays open."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.came = b""

    def answer(self) -> tuple[int, bytes]:
        """The status and the body of the next answer."""
        while (end := self.came.find(b"\r\n\r\n")) < 0:
            self._more()
        head, rest = self.came[:end].lower(), end + 4
        length = rest + int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
        while len(self.came) < length:
            self._more()
        body, self.came = self.came[rest:length], self.came[length:]
        return int(head[9:12]), body

    def _more(self) -> None:
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionResetError("The server closed a connection that was to be answered.")
        self.came += piece


class Soak:
    """What was asked so far, and what came of it."""

    def __init__(self, server: Server, connections: int, expected: Sequence[tuple[str, float]], *, model: str) -> None:
        self.server, self.expected, self.model = server, expected, model
        self.clients = [Client(server.port) for _ in range(connections)]
        self.sent = 0
        self.found, self.mistakes = Counter[str](), Counter[str]()
        self.samples, self.began = list[list[float]](), time.monotonic()
        self.requests = [post(json.dumps({"inputs": text}).encode()) for text in TEXTS]

    def round(self) -> None:
        """One request on each connection, then all the answers; now and then a client that vanishes."""
        asked = list[int | None]()
        for client in self.clients:
            self.sent += 1
            place = None if self.sent % EVERY_MALFORMED == 0 else self.sent % len(TEXTS)
            client.socket.sendall(post(MALFORMED[self.sent % len(MALFORMED)]) if place is None else self.requests[place])
            asked.append(place)
            if self.sent % EVERY_VANISHED == 0:
                self._vanish(self.requests[self.sent % len(TEXTS)])
        for client, place in zip(self.clients, asked, strict=True):
            self._judge(*client.answer(), place)

    def look(self, *, reload: bool) -> None:
        """Take the server's measure; and have it load its model anew."""
        self.samples.append([self.sent, round((time.monotonic() - self.began) / 60, 2), *self.server.facts()])
        print(
            *(f"{value} {name}" for name, value in zip(COLUMNS, self.samples[-1], strict=True)), dict(self.mistakes), flush=True
        )
        if reload:
            self.clients[0].socket.sendall(post(b"{}", path=b"/admin/models/%s/load" % self.model.encode()))
            status, body = self.clients[0].answer()
            self.found["the model loaded anew"] += status == 200
            self._mistake(status != 200, f"loading: {status} {body[:80]!r}")

    def result(self, *, wanted: int) -> dict[str, Any]:
        """What is kept: how memory went, and what came of the requests."""
        shown = self.samples[:: max(1, len(self.samples) // 10)]
        short = "" if self.sent >= wanted else f", of {wanted:,} that were to be made"
        return {
            "title": f"Memory of `headway serve {self.model}` over {self.sent:,} requests{short}",
            "command": f"python benchmarks/serving_soak.py --requests {wanted}",
            "machine": machine(),
            "columns": COLUMNS,
            "rows": shown if shown[-1] is self.samples[-1] else [*shown, self.samples[-1]],
            "requests": self.sent,
            "connections": len(self.clients),
            "outcomes": {**self.found, "wrong or unanswered": self.mistakes.total()},
            "mistakes": dict(self.mistakes),
            "growth_mb_per_million_requests": growth(self.samples),
            "samples": self.samples,
        }

    def _vanish(self, request: bytes) -> None:
        """A client that sends a request, or half of one, and is gone."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=120) as client:
            client.sendall(request if self.sent % 2 else request[: len(request) // 2])
        self.found["clients that vanished"] += 1

    def _judge(self, status: int, body: bytes, place: int | None) -> None:
        if place is None:
            self.found["refused, as they should be"] += 400 <= status < 500
            self._mistake(not 400 <= status < 500, f"malformed: {status}")
            return
        found = orjson.loads(body)
        label, score = self.expected[place]
        is_right = status == 200 and found[0]["label"] == label and abs(found[0]["score"] - score) <= TOLERANCE
        self.found["answered rightly"] += is_right
        self._mistake(not is_right, f"{TEXTS[place]!r}: {status} {body[:120]!r}")

    def _mistake(self, is_one: bool, words: str) -> None:
        if is_one:
            self.mistakes[words] += 1
            print(words, self.server.words()[-4000:], flush=True)


def idle(model: str, connections: int) -> dict[str, Any]:
    """What connections cost that are open, and nothing more."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with Server(model, "--keep-alive", "86400") as server:
        request, rows, clients = post(json.dumps({"inputs": TEXTS[0]}).encode()), list[list[Any]](), [Client(server.port)]
        for wanted in sorted({0, connections // 10, connections // 2, connections}):
            while len(clients) <= wanted:
                clients.append(Client(server.port))
                ask(clients[-1], LIVE)
            times = sorted(ask(clients[0], request) for _ in range(ASKED))
            cpu = server.cpu_seconds()
            time.sleep(WATCHED)
            resident, private, files, _ = server.facts()
            cpu = 100 * (server.cpu_seconds() - cpu) / WATCHED
            quantiles = [round(1000 * times[int(part * ASKED)], 2) for part in (0.5, 0.99)]
            rows.append([wanted, resident, private, files, *quantiles, round(cpu, 2)])
            print(rows[-1], flush=True)
        answered = sum(ask(client, LIVE) < LATE for client in clients)
    return {
        "title": f"`headway serve {model}` with connections that stay open and ask nothing",
        "command": f"python benchmarks/serving_soak.py --idle {connections}",
        "machine": machine(),
        "columns": ["idle connections", "resident MB", "private MB", "open files", "p50 ms beside them", "p99 ms", "CPU %, idle"],
        "rows": rows,
        "answered_at_the_end": answered,
        "kilobytes_each": 1024 * (rows[-1][2] - rows[0][2]) / connections,
    }


def ask(client: Client, request: bytes) -> float:
    """Seconds until a request is answered, and rightly."""
    began = time.perf_counter()
    client.socket.sendall(request)
    status, body = client.answer()
    assert status == 200, body
    return time.perf_counter() - began


def post(body: bytes, *, path: bytes = PATH) -> bytes:
    """The bytes of a request."""
    return b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (path, len(body), body)


def growth(samples: Sequence[Sequence[float]]) -> float | None:
    """Private megabytes that a million requests add, by least squares over what there was each time before the model was loaded.

    In between memory moves in one way only: up to what most batches at once need, and back with the next loading. The first
    loadings are left out.
    """
    ends = samples[2 * BETWEEN :: BETWEEN]
    if len(ends) < 3:
        return None
    middle, mean = (sum(row[column] for row in ends) / len(ends) for column in (0, 3))
    products = sum((row[0] - middle) * (row[3] - mean) for row in ends)
    return 1e6 * products / sum((row[0] - middle) ** 2 for row in ends)


if __name__ == "__main__":
    main()
