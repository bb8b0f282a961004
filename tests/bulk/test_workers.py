"""What other processes do for a job, without a cluster: the tables go through this process alone."""

from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pytest

from headway import pipeline
from headway.bulk import cluster, on_ray, predict_files
from headway.bulk.answering import pipeline_identity
from headway.bulk.cluster import Crew, crew
from headway.bulk.inputs import FileInput, Place
from headway.bulk.on_ray import pipeline_and_answers
from headway.bulk.shipping import packed, unpacked
from headway.bulk.workers import Reader, Work, Worker
from headway.errors import ConfigError, DataError, EngineError, MissingExtraError
from headway.tables import Source

from .conftest import make_texts, read_table, write_table


@pytest.fixture
def without_ray(monkeypatch):
    """As if Ray were there; a test that needed it would fail."""
    monkeypatch.setattr(on_ray, "require_ray", lambda _: None)


@pytest.fixture
def through_workers(monkeypatch, without_ray):
    """Jobs on Ray whose tables are handed from the reader to one worker, and whose cluster has one machine of three cores."""
    monkeypatch.setattr(on_ray, "connected", lambda: nullcontext([{"CPU": 3.0}]))
    monkeypatch.setattr(
        on_ray, "_tables", lambda reader, work, hands: (made for worker in [Worker(work)] for t in reader() for made in worker(t))
    )


def odd_rows():
    """Rows of which some cannot be answered, with columns that are hard to carry."""
    rows = [{"id": number, "text": text if number % 101 else None} for number, text in enumerate(make_texts(2600))]
    return [{**row, "more": {} if row["id"] % 2 else [1 << 70, "half \ud800"]} for row in rows]


def test_workers_give_what_a_single_process_does_wherever_they_run(tmp_path, model, through_workers, monkeypatch):
    write_table(tmp_path / "in.jsonl", odd_rows())
    with (tmp_path / "in.jsonl").open("a") as file:
        file.write("5\n")
    monkeypatch.chdir(tmp_path)
    alone = predict_files("in.jsonl", "alone.jsonl", model=model)
    there = predict_files("in.jsonl", "there.jsonl", model=Path(model), engine="ray")
    assert there.total.to_dict() == alone.total.to_dict()
    assert alone.total.errors == 27
    expected, found = read_table(tmp_path / "alone.jsonl"), read_table(tmp_path / "there.jsonl")
    assert [{**row, "score": None} for row in found] == [{**row, "score": None} for row in expected]
    assert [row["score"] or 0 for row in found] == pytest.approx([row["score"] or 0 for row in expected], abs=1e-5)
    assert found[-1]["error"].startswith("Line 2601 of in.jsonl holds a JSON int")


def test_strict_stops_at_the_first_row_that_cannot_be_answered(tmp_path, model, through_workers):
    path = write_table(tmp_path / "in.jsonl", [{"text": text} for text in make_texts(1600)] + [{"text": None}, {"text": 5}])
    with pytest.raises(DataError, match=rf"Row 1601 of {path} cannot be answered: The column 'text' holds nothing"):
        predict_files(path, tmp_path / "out.jsonl", model=model, strict=True, engine="ray")
    assert predict_files(path, tmp_path / "out.jsonl", model=model, engine="ray").before == 1536


def test_a_file_that_ends_too_soon_is_said_when_what_stood_before_is_answered(tmp_path, model, through_workers):
    import gzip

    whole = gzip.compress("\n".join(f"{text} {hash(text)}" for text in make_texts(30000)).encode())
    (tmp_path / "in.txt.gz").write_bytes(whole[: len(whole) - 99])
    with pytest.raises(DataError, match=r"in\.txt\.gz cannot be read \(Compressed file ended"):
        predict_files(tmp_path / "in.txt.gz", tmp_path / "out.jsonl", model=model, engine="ray")
    assert list((tmp_path / "out.jsonl.parts").glob("*.arrow"))


def test_a_worker_with_another_model_under_the_name_does_not_answer(tmp_path, model, model_folder):
    made = pipeline(model=model)
    path = write_table(tmp_path / "in.csv", [{"text": "good"}])
    reader = Reader(
        inputs=(FileInput(Source(path.name)),), task=made.task, named={}, start=Place(), folder=str(tmp_path), block_rows=7
    )
    other = str(model_folder("sequence-classification", seed=7, num_labels=2))
    work = Work(arguments={"model": other}, identity=pipeline_identity(made), keep=None, strict=False)
    ((error,),) = [unpacked(made) for table in reader() for made in Worker(work)(table)]
    assert isinstance(error, ConfigError)
    assert "has another model under this name than the one where the job was begun: " in str(error)
    assert "Put the same files on every machine" in str(error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"model": 5}, r"model is of the type int, but with engine='ray' other processes load it", id="model"),
        pytest.param({"tokenizer": 5}, r"tokenizer is of the type int, but with engine='ray'", id="tokenizer"),
        pytest.param(
            {"device": "cuda:1"}, r"device is 'cuda:1', but with engine='ray' each worker has a GPU of its own", id="GPU"
        ),
    ],
)
def test_what_another_machine_cannot_have_is_refused(without_ray, model, arguments, message):
    with pytest.raises(ConfigError, match=message):
        pipeline_and_answers(None, **({"model": model} | arguments), engine="ray")


def test_standard_input_is_refused(tmp_path, without_ray, model):
    with pytest.raises(ConfigError, match="Standard input, or a pipe, is there for one process alone"):
        predict_files("-", tmp_path / "out.csv", model=model, engine="ray")


def test_a_client_outside_of_the_cluster_is_refused():
    with pytest.raises(ConfigError, match=r"RAY_ADDRESS is ray://x:10001, which is for clients outside"):
        cluster._connect("ray://x:10001")


def test_without_ray_it_is_said_what_to_install(model, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest))
    with pytest.raises(MissingExtraError, match=r"--engine ray needs the package 'ray'.*pip install 'headway\[ray\]'"):
        pipeline_and_answers(None, model, engine="ray")


def test_workers_are_told_all_that_decides_the_answers(without_ray, model):
    made, answers = pipeline_and_answers(None, model, engine="ray", top_k=None, precision="fp32")
    assert answers.keywords["arguments"] == {
        "engine": "auto", "top_k": None, "precision": "fp32", "task": "text-classification", "model": model
    }  # fmt: skip
    assert pipeline_identity(made) == pipeline_identity(pipeline(model=model, top_k=None))
    assert pipeline_and_answers(None, "sentiment", engine="ray")[1].keywords["arguments"]["model"] == "sentiment"
    assert pipeline_and_answers(None, model, engine="onnx")[1] is None


@pytest.mark.train
def test_workers_have_the_gpus_and_this_process_needs_none(without_ray, model):
    made, answers = pipeline_and_answers(None, model, engine="ray", device="cuda", precision="bf16")
    assert made.engine.precision == answers.keywords["arguments"]["precision"] == "bf16"
    assert answers.keywords["arguments"]["device"] == "cuda"
    assert on_ray.on_gpu(answers.keywords["arguments"])


MACHINES = [{"CPU": 3.0}, {"CPU": 8.0, "GPU": 3.0, "memory": 1e9}, {"CPU": 13.0, "GPU": 1.0}]


@pytest.mark.parametrize(
    ("machines", "threads", "gpus", "expected"),
    [
        pytest.param(MACHINES, None, 0, Crew(workers=5, cores=4, gpus=0), id="four cores each"),
        pytest.param(MACHINES, 3, 0, Crew(workers=7, cores=3, gpus=0), id="as many as were named"),
        pytest.param(MACHINES[:1], None, 0, Crew(workers=1, cores=3, gpus=0), id="fewer where there are no more"),
        pytest.param(MACHINES, None, 1, Crew(workers=3, cores=4, gpus=1), id="a GPU each, and the cores for it"),
    ],
)
def test_as_many_workers_as_fit(machines, threads, gpus, expected):
    assert crew(machines, threads=threads, gpus=gpus) == expected


def test_no_room_for_a_single_worker_is_an_error():
    with pytest.raises(
        EngineError, match=r"room for a worker with 5 cores and a GPU\. Lower --threads, leave --device out, or name"
    ):
        crew(MACHINES[:1], threads=5, gpus=1)
    with pytest.raises(EngineError, match=r"a worker with 1 cores\. Lower"):
        crew([], threads=None, gpus=0)


def test_what_is_sent_is_no_larger_than_what_it_holds_and_comes_as_it_was():
    batch = pa.RecordBatch.from_pydict({"a": ["x" * 99] * 9973}).slice(7, 3)
    table = packed([batch, DataError("no")])
    assert table.nbytes < 5000
    ((sent, error),) = unpacked(table)
    assert sent.equals(batch)
    assert (type(error), str(error)) == (DataError, "no")
    assert unpacked(packed(batch.slice(0, 0)))[0].schema.equals(batch.schema)
    nothing = pa.RecordBatch.from_struct_array(pa.array([{}] * 5, pa.struct([])))
    assert unpacked(packed(nothing))[0].num_rows == 5
