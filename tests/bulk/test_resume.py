"""A job that is killed, interrupted or refused goes on where it was, and nobody else can touch it meanwhile."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headway.bulk import job as jobs
from headway.bulk import predict_files
from headway.bulk.locking import locked
from headway.errors import ConfigError, DataError

from .conftest import make_texts, read_table, write_table

RUN = """
import sys
from headway import pipeline
from headway.bulk import files, job
from headway.bulk.inputs import FileInput
from headway.tables import Source
job.PART_SECONDS = 0.01
classify = pipeline(model=sys.argv[-1])
classify(["good"] * 9)
print("ready", flush=True)
{before}
inputs = [FileInput(Source(name)) for name in sys.argv[1:-2]]
print(job.run_job(files.job_of(inputs, sys.argv[-2], classify, keep=["id", "text"])).before)
"""
ROWS = 4001


def start(inputs, output, model, before=""):
    """A process of its own that does the job."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format(before=before), *map(str, inputs), str(output), str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait(process):
    """What a process said: exit status, output, errors."""
    out, err = process.communicate()
    return process.returncode, out, err


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Three files of unequal size and form, with rows that cannot be answered."""
    folder = tmp_path_factory.mktemp("inputs")
    rows = [{"id": number, "text": text if number % 101 else None} for number, text in enumerate(make_texts(ROWS))]
    first = write_table(folder / "a.parquet", rows[:1009])
    second = write_table(folder / "b.jsonl", rows[1009:2503])
    third = write_table(folder / "c.csv", [{**row, "text": row["text"] or ""} for row in rows[2503:]])
    return [first, second, third]


@pytest.fixture(scope="module")
def undisturbed(inputs, model, tmp_path_factory):
    """The rows that a run without any trouble gives."""
    output = tmp_path_factory.mktemp("whole") / "out.jsonl"
    predict_files(inputs, output, model=model, keep=["id", "text"])
    return read_table(output)


def same(found, expected):
    """Whether the rows are the same, in order; scores as near as batches of other company let them be."""
    assert [int(row["id"]) for row in found] == list(range(ROWS))
    assert [{**row, "score": None} for row in found] == [{**row, "score": None} for row in expected]
    assert [row["score"] or 0 for row in found] == pytest.approx([row["score"] or 0 for row in expected], abs=1e-5)


def parts_of(output):
    """How many parts of the job there are."""
    folder = Path(f"{output}.parts")
    return sum(name.endswith("arrow") for name in os.listdir(folder)) if folder.is_dir() else 0


def kill_at_some_moment(process, output, chance, *, more_parts):
    """Kill the process a little after it has written so many more parts, if it lives so long."""
    before = parts_of(output)
    while process.poll() is None and parts_of(output) < before + more_parts:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.03))
    process.kill()


SLOW = """
import os
from headway.bulk.parts import Parts
from headway.inference.engine import OnnxEngine
from time import sleep
usual = OnnxEngine.run
OnnxEngine.run = lambda *arguments, **named: sleep(0.03) or usual(*arguments, **named)
Parts.finish = lambda *_: os.kill(os.getpid(), 9)  # where it comes so far before it is killed from outside
"""


def test_killed_at_any_moment_again_and_again_no_row_is_lost_doubled_or_out_of_order(tmp_path, inputs, model, undisturbed):
    output, chance, parts = tmp_path / "out.jsonl", random.Random(3), [0]
    for more_parts in (0, 1, 2, 3):
        process = start(inputs, output, model, before=SLOW)
        assert process.stdout.readline() == "ready\n"
        kill_at_some_moment(process, output, chance, more_parts=more_parts)
        status, _, err = wait(process)
        assert status == -9, err
        parts.append(parts_of(output))
    assert sorted(parts) == parts
    assert 0 < parts[-2] <= parts[-1]
    assert 0 < predict_files(inputs, output, model=model, keep=["id", "text"]).before <= ROWS
    same(read_table(output), undisturbed)
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("step", ["finish", "remove"])
def test_killed_while_the_output_is_written_or_the_parts_removed_it_is_whole_in_the_end(
    tmp_path, inputs, model, undisturbed, step
):
    output = tmp_path / "out.jsonl"
    dying = f"from headway.bulk import parts; import os; parts.Parts.{step} = lambda *_: os.kill(os.getpid(), 9)"
    assert wait(start(inputs, output, model, before=dying))[0] == -9
    assert output.exists() == (step == "remove")
    assert predict_files(inputs, output, model=model, keep=["id", "text"]).before == ROWS
    same(read_table(output), undisturbed)
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.fixture
def begun(tmp_path, model, monkeypatch):
    """A job of 600 rows whose output was never written: its input and its output."""
    path = write_table(tmp_path / "in.csv", [{"text": text, "body": text} for text in make_texts(600)])
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "assemble", lambda *_: (tmp_path / "none").read_bytes())
        patch.setattr(jobs.Parts, "finish", lambda _: None)
        with pytest.raises(FileNotFoundError):
            predict_files(path, tmp_path / "out.jsonl", model=model)
    return path, tmp_path / "out.jsonl"


def test_rows_that_are_done_are_not_answered_again(begun, model, monkeypatch):
    monkeypatch.setattr("headway.inference.engine.OnnxEngine.run", lambda *_, **__: pytest.fail("answered again"))
    summary = predict_files(*begun, model=model)
    assert (summary.total.rows, summary.before) == (600, 600)
    assert sum(summary.total.labels.values()) == 600
    assert len(read_table(begun[1])) == 600


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"top_k": None}, r"options was .*\"top_k\": 1.* and is .*\"top_k\": null", id="option"),
        pytest.param({"columns": {"text": "body"}}, r"columns was \{\} and is \{\"text\": \"body\"\}", id="column"),
        pytest.param({"keep": []}, r"keep was null and is \[\]", id="keep"),
    ],
)
def test_another_job_is_refused_with_what_is_other_unless_it_begins_anew(begun, model, changes, said):
    path, output = begun
    with pytest.raises(ConfigError, match=rf"has the parts of a job that was begun otherwise: {said}.*begin anew with --restart"):
        predict_files(path, output, model=model, **changes)
    summary = predict_files(path, output, model=model, restart=True, **changes)
    assert (summary.total.rows, summary.before) == (600, 0)


def test_another_input_or_model_is_another_job(begun, model, model_folder):
    path, output = begun
    with pytest.raises(ConfigError, match=r"otherwise: model was \"[0-9a-f]{64}\" and is"):
        predict_files(path, output, model=model_folder("sequence-classification", seed=7, num_labels=2))
    os.utime(path, (1, 1))
    with pytest.raises(ConfigError, match=r"otherwise: inputs was .*\"changed\": \d+.* and is .*\"changed\": 1000000000"):
        predict_files(path, output, model=model)


def test_an_interruption_keeps_what_was_answered(tmp_path, model, monkeypatch):
    path = write_table(tmp_path / "in.csv", [{"text": text} for text in make_texts(3000)])
    with monkeypatch.context() as patch:

        def update(_, rows, fraction):
            if fraction > 0.3:
                raise KeyboardInterrupt

        patch.setattr(jobs.Progress, "update", update)
        with pytest.raises(KeyboardInterrupt):
            predict_files(path, tmp_path / "out.csv", model=model)
    summary = predict_files(path, tmp_path / "out.csv", model=model)
    assert 0 < summary.before < 3000
    assert [row["text"] for row in read_table(tmp_path / "out.csv")] == make_texts(3000)


def test_two_processes_cannot_write_the_same_output(tmp_path, model):
    path = write_table(tmp_path / "in.csv", [{"text": "good"}])
    output = tmp_path / "out.csv"
    refused = pytest.raises(ConfigError, match=r"Another process is writing .*out\.csv: it holds the lock")
    with locked(output.with_name("out.csv.parts"), output), refused:
        predict_files(path, output, model=model)
    predict_files(path, output, model=model)


def test_a_lock_on_a_folder_that_was_just_removed_is_taken_again(tmp_path, monkeypatch):
    folder, usual, removed = tmp_path / "x.parts", os.open, []

    def opened(path, *arguments):
        descriptor = usual(path, *arguments)
        if not removed:
            removed.append((folder / "lock").unlink())
            folder.rmdir()
        return descriptor

    monkeypatch.setattr(os, "open", opened)
    with locked(folder, tmp_path / "x"):
        assert (folder / "lock").is_file()


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))"


def test_a_disk_that_takes_no_more_is_said_and_the_job_goes_on_when_it_does(tmp_path, inputs, model, undisturbed):
    output = tmp_path / "out.jsonl"
    status, _, err = wait(start(inputs, output, model, before=FULL))
    assert status == 1
    assert f"{output} cannot be written (" in err
    assert f"Rows that were answered are kept in {output}.parts: make room" in err
    assert not output.exists()
    assert 0 < predict_files(inputs, output, model=model, keep=["id", "text"]).before <= ROWS
    same(read_table(output), undisturbed)


def test_a_place_that_cannot_be_written_is_said_before_any_work(tmp_path, model):
    path = write_table(tmp_path / "in.csv", [{"text": "good"}])
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"out\.csv cannot be written"):
        predict_files(path, tmp_path / "file" / "out.csv", model=model)


def test_parts_that_a_restart_left_without_their_manifest_count_for_nothing(begun, model):
    path, output = begun
    (Path(f"{output}.parts") / "job.json").unlink()
    assert predict_files(path, output, model=model).before == 0


def test_the_manifest_says_what_the_job_is(begun):
    manifest = json.loads((Path(f"{begun[1]}.parts") / "job.json").read_text())
    assert manifest["job"]["task"] == "text-classification"
    assert [source["size"] for source in manifest["job"]["inputs"]] == [begun[0].stat().st_size]
