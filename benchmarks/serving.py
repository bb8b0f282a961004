"""``headway serve`` under load: a closed loop over loopback, beside the same model's in-process bulk rate.

    python benchmarks/serving.py --data DATA [--seconds 10] [--connections 1 8 64 256]

DATA holds GLUE's SST-2; its validation sentences are asked for one a request, by as many connections as are named, each of which
asks again as soon as it is answered. The clients are one process beside the server on the same cores, so their work is the
server's loss. Overhead is the server's CPU time a request less the bulk run's CPU time a text. A last run has one connection that
asks for 510 tokens each time, beside eight with sentences.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import write_result

from headway import pipeline

PATH = "/tasks/text-classification"
LONG = "word " * 600


def main() -> None:
    """Measure, print and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--model", default="sentiment")
    arguments = parser.parse_args()
    lines = (arguments.data / "glue" / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["sentence"] for line in lines]
    result: dict[str, Any] = {"model": arguments.model, "bulk": bulk(arguments.model, texts, arguments.seconds)}
    with Server(arguments.model) as server:
        for count in arguments.connections:
            found = measure(server, [texts[place:] + texts[:place] for place in range(count)], arguments.seconds)
            result[f"{count} connections"] = compared(found, result["bulk"])
        sentences = [texts[place:] + texts[:place] for place in range(8)]
        result["8 beside a long one"] = compared(measure(server, [*sentences, [LONG]], arguments.seconds, last=1), result["bulk"])
    print(json.dumps(result, indent=1))
    write_result("serving", result)


def bulk(model: str, texts: list[str], seconds: float) -> dict[str, float]:
    """Texts a second, and CPU milliseconds a text, of pipeline() with a list."""
    classify = pipeline(model=model)
    classify(texts)
    began, cpu, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < seconds:
        count += len(classify(texts))
    return {
        "texts_per_second": count / (time.perf_counter() - began),
        "cpu_ms": 1000 * (time.process_time() - cpu) / count,
    }


class Server:
    """A server in a process of its own, on a free port."""

    def __init__(self, model: str) -> None:
        command = [sys.executable, "-m", "headway", "serve", model, "--port", "0", "--log", "none"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.port = 0
        for line in self.process.stderr:
            if found := re.search(r"serving at http://127.0.0.1:(\d+)", line):
                self.port = int(found[1])
                return

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def cpu_seconds(self) -> float:
        """CPU time of the server so far."""
        values = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def measure(server: Server, streams: Sequence[Sequence[str]], seconds: float, *, last: int = 0) -> dict[str, Any]:
    """Milliseconds of every request, those of the ``last`` streams apart, and the server's CPU time."""
    asyncio.run(load(server.port, streams, min(1.0, seconds)))  # warm
    cpu = server.cpu_seconds()
    times = asyncio.run(load(server.port, streams, seconds))
    cpu = server.cpu_seconds() - cpu
    counted = times[: len(times) - last]
    return {
        "ms": sorted(one for stream in counted for one in stream),
        "count": sum(map(len, times)),
        "cpu": cpu,
        "seconds": seconds,
    }


def compared(found: dict[str, Any], beside: dict[str, float]) -> dict[str, float]:
    """The figures of a run, beside those of the bulk run."""
    ms, count = found["ms"], found["count"]
    rate = count / found["seconds"]
    return {
        "requests_per_second": rate,
        "share_of_bulk": rate / beside["texts_per_second"],
        "p50_ms": statistics.median(ms),
        "p99_ms": ms[int(0.99 * (len(ms) - 1))],
        "overhead_cpu_ms": 1000 * found["cpu"] / count - beside["cpu_ms"],
    }


async def load(port: int, streams: Sequence[Sequence[str]], seconds: float) -> list[list[float]]:
    """A closed loop of each stream on a connection of its own: the milliseconds of its requests."""
    end = time.perf_counter() + seconds
    return await asyncio.gather(*(one_client(port, stream, end) for stream in streams))


async def one_client(port: int, texts: Sequence[str], end: float) -> list[float]:
    """Ask, wait for the answer, ask again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    requests, times, place = [request(text) for text in texts], list[float](), 0
    while (began := time.perf_counter()) < end:
        writer.write(requests[place % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        await reader.readexactly(int(length[1]))
        times.append(1000 * (time.perf_counter() - began))
        place += 1
    writer.close()
    return times


def request(text: str) -> bytes:
    """The bytes of a request."""
    body = json.dumps({"inputs": text}).encode()
    return b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (PATH.encode(), len(body)) + body


if __name__ == "__main__":
    main()
