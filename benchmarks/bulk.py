"""``predict`` on files: memory by number of rows, and speed beside the same pipeline on texts in memory.

    python benchmarks/bulk.py [--only memory|speed] [--rows 10000 … 10000000] [--speed-rows 100000] [--model sentiment]

For memory, a tiny random model answers generated rows in a process of its own for each size, which reads its peak at its end. For
speed, MODEL answers generated texts, in memory and from a Parquet file to a Parquet file, in turns within one run.
"""

import argparse
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from measuring import System, fresh_process, median_ratio, rounds, tiny_model, write_result
from pyarrow import parquet

WORDS = "the a movie film was is good bad great awful boring fun this it love hate we saw not very one two play actor".split()
MEMORY = """
from headway.bulk import predict_files
print(predict_files({table!r}, {output!r}, model={model!r}))
"""


def texts(count: int, *, longest: int = 30) -> Iterator[str]:
    """As many sentences of random words, the same ones each time."""
    chance = random.Random(0)
    return (" ".join(chance.choices(WORDS, k=chance.randint(3, longest))) for _ in range(count))


def write_rows(path: Path, count: int, *, at_once: int = 10_000) -> Path:
    """A Parquet file with numbered texts, written without holding them all."""
    schema, rows = pa.schema([("id", pa.int64()), ("text", pa.string())]), texts(count)
    with parquet.ParquetWriter(path, schema) as file:
        for start in range(0, count, at_once):
            block = [(number, next(rows)) for number in range(start, min(count, start + at_once))]
            file.write_table(pa.table([list(column) for column in zip(*block, strict=True)], schema=schema))
    return path


def in_memory(model: str) -> Callable[[list[Any]], Any]:
    """The pipeline, called with a list."""
    from headway import pipeline

    return pipeline(model=model)


def from_file(model: str, folder: str) -> Callable[[list[Any]], Any]:
    """The same pipeline as a job from Parquet to Parquet; the input is written when a list of this length first comes."""
    from headway import pipeline
    from headway.bulk.files import file_inputs, job_of
    from headway.bulk.job import run_job

    classify, place = pipeline(model=model), Path(folder)

    def work(items: list[Any]) -> Any:
        table = place / f"{len(items)}.parquet"
        if not table.is_file():
            parquet.write_table(pa.table({"text": items}), table)
        return run_job(job_of(file_inputs([table]), place / "out.parquet", classify))

    return work


def memory(sizes: list[int], folder: Path) -> list[list[str]]:
    """For each number of rows: how fast, and the peak of memory."""
    model, found = tiny_model(folder / "model", WORDS), []
    fresh_process(f"from headway import pipeline; pipeline(model={str(model)!r})('good')")  # its graph is built and kept
    for size in sizes:
        table = write_rows(folder / f"{size}.parquet", size)
        code = MEMORY.format(table=str(table), output=str(folder / "out.parquet"), model=str(model))
        seconds, peak = fresh_process(code)
        found.append([f"{size:,}", f"{size / seconds:,.0f}", f"{peak:,.0f}"])
        print(*found[-1], sep=" | ", flush=True)
        table.unlink()
    return found


def speed(model: str, count: int, folder: Path, *, turns: int) -> tuple[list[list[str]], float]:
    """Rows a second in memory and from a file, and the second divided by the first."""
    items = list(texts(count))
    (folder / "speed").mkdir()
    systems = [
        System("in memory", partial(in_memory), model, items=items),
        System("Parquet to Parquet", partial(from_file), model, str(folder / "speed"), items=items),
    ]
    try:
        parquet.write_table(pa.table({"text": items}), folder / "speed" / f"{count}.parquet")
        times = rounds(systems, turns)
    finally:
        for system in systems:
            system.close()
    rows = [[f"{count:,} rows, {model}, {name}", f"{count / statistics.median(taken):,.0f}"] for name, taken in times.items()]
    return rows, median_ratio(times["in memory"], times["Parquet to Parquet"])


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["memory", "speed"])
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--speed-rows", type=int, default=100_000)
    parser.add_argument("--model", default="sentiment")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if arguments.only != "speed":
            keep_memory(memory(arguments.rows, Path(name)))
        if arguments.only != "memory":
            keep_speed(*speed(arguments.model, arguments.speed_rows, Path(name), turns=arguments.turns))


def keep_memory(rows: list[list[str]]) -> None:
    """The table of memory."""
    write_result(
        "bulk_memory",
        {
            "title": "headway predict on files of more and more rows, with a tiny model",
            "command": "python benchmarks/bulk.py --only memory",
            "columns": ["rows", "rows/s", "peak memory, MB"],
            "rows": rows,
        },
    )


def keep_speed(rows: list[list[str]], ratio: float) -> None:
    """The table of speed."""
    write_result(
        "bulk_speed",
        {
            "title": "headway predict on a file, beside the same texts in memory",
            "command": "python benchmarks/bulk.py --only speed",
            "columns": ["what", "rows/s"],
            "rows": [*rows, ["from the file against in memory", f"{100 * ratio:.0f} %"]],
            "ratio": ratio,
        },
    )


if __name__ == "__main__":
    main()
