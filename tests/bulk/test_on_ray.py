"""The same job on a cluster of Ray: the same rows in the same order, whoever of its processes is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyarrow import parquet

from headway.bulk import job as jobs
from headway.bulk import on_ray, predict_files
from headway.cli.main import main
from headway.errors import DataError, EngineError

from .conftest import make_texts, read_table, write_table

pytestmark = pytest.mark.ray
ROWS = 6007
RAY = {"engine": "ray", "threads": 1}


@pytest.fixture(scope="module")
def cluster(model):
    """Three machines of one core each, as processes on this one; the cache of graphs is made before they start."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster()
        try:
            for _ in range(3):
                cluster.add_node(num_cpus=1, object_store_memory=100 << 20, include_dashboard=False)
            patch.setenv("RAY_ADDRESS", cluster.address)
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Three files of unequal size and form, with rows that cannot be answered."""
    folder = tmp_path_factory.mktemp("inputs")
    rows = [{"id": number, "text": text if number % 101 else None} for number, text in enumerate(make_texts(ROWS))]
    first = write_table(folder / "a.parquet", [{**row, "more": [{"x": row["id"]}]} for row in rows[:2003]])
    second = folder / "b.jsonl"
    lines = [json.dumps({**row, "more": "half \ud800" if row["id"] % 2 else 1 << 70}) for row in rows[2003:4507]]
    second.write_text("\n".join([*lines, '{"text": ']) + "\n")
    third = write_table(folder / "c.csv", [{**row, "text": row["text"] or ""} for row in rows[4507:]])
    return [first, second, third]


def same(found, expected):
    """Whether the rows are the same, in order; scores as near as batches of other company let them be."""
    assert len(found) == ROWS + 1
    assert [{**row, "score": None} for row in found] == [{**row, "score": None} for row in expected]
    assert [float(row["score"] or 0) for row in found] == pytest.approx([float(row["score"] or 0) for row in expected], abs=1e-5)


@pytest.fixture(scope="module")
def expected(inputs, model, tmp_path_factory):
    """The rows that a single process gives."""
    output = tmp_path_factory.mktemp("whole") / "out.jsonl"
    predict_files(inputs, output, model=model)
    return read_table(output)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_cluster_writes_what_a_single_process_does(tmp_path, cluster, inputs, model, monkeypatch, form):
    monkeypatch.chdir(inputs[0].parent)
    names = [path.name for path in inputs]
    alone = predict_files(names, tmp_path / f"alone.{form}", model=os.path.relpath(model))
    there = predict_files(names, tmp_path / f"there.{form}", model=os.path.relpath(model), **RAY)
    same(read_table(tmp_path / f"there.{form}"), read_table(tmp_path / f"alone.{form}"))
    assert there.total.to_dict() == alone.total.to_dict()
    assert there.total.errors == 60 + 1
    if form == "parquet":
        assert parquet.read_schema(tmp_path / "there.parquet").equals(parquet.read_schema(tmp_path / "alone.parquet"))
    assert len(list(tmp_path.iterdir())) == 2


def title_of(process):
    """What a process calls itself; nothing where it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().strip(b"\0").decode("utf-8", "replace")
    except OSError:
        return ""


def processes(title):
    """The processes whose title begins so."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if title_of(path.name).startswith(title)]


@pytest.fixture
def halfway(monkeypatch):
    """``halfway(act)``: has a function called once, when a third of the rows, or another fraction, is there."""

    def arrange(act, fraction=0.3):
        needed = fraction
        usual, done = jobs.Progress.update, []
        monkeypatch.setattr(on_ray, "BLOCK_ROWS", 1)  # as small as may be, so that there are many

        def update(self, rows, fraction):
            usual(self, rows, fraction)
            if fraction > needed and not done:
                done.append(act())

        monkeypatch.setattr(jobs.Progress, "update", update)
        return done

    return arrange


def test_a_worker_that_is_killed_halfway_costs_no_row(tmp_path, cluster, inputs, model, expected, halfway):
    def kill():
        workers = processes("ray::MapWorker(MapBatches(Worker))")
        ends = time.monotonic() + 120
        while not (busy := [worker for worker in workers if title_of(worker).endswith(".submit")]) and time.monotonic() < ends:
            time.sleep(0.001)
        os.kill(busy[0], signal.SIGKILL)
        return len(workers)

    killed = halfway(kill)
    predict_files(inputs, tmp_path / "out.jsonl", model=model, **RAY)
    assert killed[0] > 1
    same(read_table(tmp_path / "out.jsonl"), expected)


def test_the_reader_that_is_killed_halfway_costs_no_row(tmp_path, cluster, inputs, model, expected, halfway):
    def kill():
        (reader,) = processes("ray::ReadRows")
        os.kill(reader, signal.SIGKILL)

    killed = halfway(kill, fraction=0)
    predict_files(inputs, tmp_path / "out.jsonl", model=model, **RAY)
    assert killed == [None]
    same(read_table(tmp_path / "out.jsonl"), expected)


def test_a_machine_that_is_lost_halfway_costs_no_row(tmp_path, cluster, inputs, model, expected, halfway):
    node = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    lost = halfway(lambda: cluster.remove_node(node, allow_graceful=False))
    predict_files(inputs, tmp_path / "out.jsonl", model=model, **RAY)
    assert len(lost) == 1
    same(read_table(tmp_path / "out.jsonl"), expected)


RUN = """
import sys
from headway.bulk import job, on_ray, predict_files
job.PART_SECONDS = 0.01
on_ray.BLOCK_ROWS = 1
predict_files(sys.argv[1:-2], sys.argv[-2], model=sys.argv[-1], engine="ray", threads=1)
"""


def test_a_job_whose_own_process_is_killed_goes_on_where_it_was(tmp_path, cluster, inputs, model, expected):
    output = tmp_path / "out.jsonl"
    alone = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}  # with a cluster of its own
    process = subprocess.Popen([sys.executable, "-c", RUN, *map(str, inputs), str(output), model], env=alone)
    while process.poll() is None and len(list(Path(f"{output}.parts").glob("*.arrow"))) < 3:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -9
    assert not output.exists()
    assert 0 < predict_files(inputs, output, model=model, **RAY).before < ROWS
    same(read_table(output), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_strict_stops_at_the_first_row_that_cannot_be_answered_and_the_command_goes_on(tmp_path, cluster, model, capsys):
    path = write_table(tmp_path / "in.jsonl", [{"text": text} for text in make_texts(600)] + [{"text": None}, {"text": "good"}])
    output = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match=rf"Row 601 of {path} cannot be answered: The column 'text' holds nothing"):
        predict_files(path, output, model=model, strict=True, **RAY)
    assert not output.exists()
    assert main(["predict", str(path), "--model", model, "--out", str(output), "--engine", "ray", "--threads", "1"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("602 rows, 1 with errors, 512 of them in earlier runs in ")
    assert captured.err == ""
    assert [row["text"] for row in read_table(output)] == [*make_texts(600), None, "good"]


def test_a_worker_that_the_cluster_has_no_room_for_is_refused(tmp_path, cluster, model):
    path = write_table(tmp_path / "in.csv", [{"text": "good"}])
    with pytest.raises(EngineError, match=r"No machine of the cluster has room for a worker with 2 cores\. Lower --threads"):
        predict_files(path, tmp_path / "out.csv", model=model, engine="ray", threads=2)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_cluster_that_does_not_answer_is_said(tmp_path, model, monkeypatch):
    path = write_table(tmp_path / "in.csv", [{"text": "good"}])
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(EngineError, match=r"No cluster of Ray answers at 127\.0\.0\.1:1 \("):
        predict_files(path, tmp_path / "out.csv", model=model, engine="ray")


def test_what_goes_wrong_in_a_worker_is_said_with_how_to_go_on():
    from ray.exceptions import RayError

    said = r"Ray could not go on: the worker's story What was answered is kept: mend"
    with pytest.raises(EngineError, match=said), on_ray._in_words():
        raise RayError("the worker's story")
