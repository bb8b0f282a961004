"""Tables in, tables out: every row with its answer or its error, in order, in every form."""

import io
import json
import os
from contextlib import nullcontext
from threading import Thread

import pyarrow as pa
import pytest
from pyarrow import parquet

from headway import pipeline
from headway.bulk import assembling, predict_files
from headway.bulk import job as jobs
from headway.bulk.answering import answer
from headway.bulk.files import file_inputs, job_of
from headway.bulk.finishing import Later, finished
from headway.bulk.inputs import PIECE_ROWS
from headway.bulk.shipping import blocks, packed, unpacked
from headway.errors import ConfigError, DataError

from .conftest import make_texts, read_table, write_table


@pytest.fixture(scope="module")
def classify(model):
    return pipeline("sentiment-analysis", model)


FORMS = ["csv", "jsonl", "parquet"]


@pytest.mark.parametrize("given", FORMS)
@pytest.mark.parametrize("wanted", FORMS)
def test_every_row_is_answered_as_the_pipeline_does_and_its_columns_are_kept(tmp_path, model, classify, given, wanted):
    texts = make_texts(3 * PIECE_ROWS + 5)
    rows = [{"id": f"{number:05}", "text": text, "n": number} for number, text in enumerate(texts)]
    output = tmp_path / f"out.{wanted}"
    summary = predict_files(write_table(tmp_path / f"in.{given}", rows), output, model=model)
    found = read_table(output)
    assert [(row["id"], row["text"], int(row["n"])) for row in found] == [(row["id"], row["text"], row["n"]) for row in rows]
    expected = classify(texts)
    assert [row["label"] for row in found] == [answer["label"] for answer in expected]
    assert [float(row["score"]) for row in found] == pytest.approx([answer["score"] for answer in expected], abs=1e-5)
    assert {row["error"] for row in found} == {"" if wanted == "csv" else None}
    assert list(found[0]) == ["id", "text", "n", "label", "score", "error"]
    assert (summary.total.rows, summary.total.errors, sum(summary.total.labels.values())) == (len(rows), 0, len(rows))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({f"in.{given}", f"out.{wanted}"})


def test_types_of_parquet_stay_and_answers_have_types_of_their_own(tmp_path, model):
    table = pa.table(
        {"text": ["good", "bad"], "id": pa.array([7, 11], pa.uint64()), "v": pa.array([[1.5], None], pa.list_(pa.float64()))}
    )
    parquet.write_table(table, tmp_path / "in.parquet")
    predict_files(tmp_path / "in.parquet", tmp_path / "out.parquet", model=model, top_k=None)
    schema = parquet.read_schema(tmp_path / "out.parquet")
    assert schema.names == ["text", "id", "v", "labels", "error"]
    assert schema.field("id").type == pa.uint64()
    assert schema.field("v").type.value_type == pa.float64()
    assert schema.field("labels").type == pa.list_(pa.struct([("label", pa.string()), ("score", pa.float32())]))
    predict_files(tmp_path / "in.parquet", tmp_path / "out.csv", model=model, top_k=None)
    assert {one["label"] for one in json.loads(read_table(tmp_path / "out.csv")[0]["labels"])} == {"POSITIVE", "NEGATIVE"}


ODD = [
    {"text": "good"},
    {"text": None},
    {"text": 5},
    {"txt": "no text"},
    {"text": ["a"]},
    {"text": "half \ud800"},
    {"text": "bad", "label": "mine", "error": "theirs"},
]


@pytest.mark.parametrize("wanted", FORMS)
def test_a_row_that_cannot_be_answered_has_the_reason_and_the_others_their_answers(tmp_path, model, wanted):
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join([*map(json.dumps, ODD), '{"text": ', "7", '{"text": "good"}']))
    summary = predict_files(path, tmp_path / f"out.{wanted}", model=model)
    rows = read_table(tmp_path / f"out.{wanted}")
    errors = [row["predicted_error"] or None for row in rows]
    assert [error is None for error in errors] == [True, False, False, False, False, True, True, False, False, True]
    assert errors[1] == errors[3] == "The column 'text' holds nothing, where the text belongs. Fill it in."
    assert errors[2].startswith("An input is int 5, where a text")
    assert f"Line 8 of {path} is not JSON" in errors[7]
    assert f"Line 9 of {path} holds a JSON int" in errors[8]
    assert [bool(row["predicted_label"]) for row in rows] == [error is None for error in errors]
    assert (rows[6]["label"], rows[6]["error"]) == ("mine", "theirs")
    if wanted == "jsonl":
        assert [row["text"] for row in rows[:6]] == ["good", None, 5, None, ["a"], "half \ud800"]
    assert (summary.total.rows, summary.total.errors) == (10, 6)
    assert str(summary).startswith("10 rows, 6 with errors in ")


@pytest.mark.parametrize("blank", [[], [0], [0, 1, 2, 4, 5, 7], range(8)])
def test_whole_blocks_of_rows_without_anything_to_answer_stay_in_their_places(tmp_path, model, blank):
    texts = [None if number // 100 in blank else text for number, text in enumerate(make_texts(800))]
    path = write_table(tmp_path / "in.jsonl", [{"text": text} for text in texts])
    summary = predict_files(path, tmp_path / "out.jsonl", model=model)
    rows = read_table(tmp_path / "out.jsonl")
    assert [row["text"] for row in rows] == texts
    assert (
        [row["error"] is None for row in rows]
        == [row["label"] is not None for row in rows]
        == [text is not None for text in texts]
    )
    assert summary.total.errors == 100 * len(blank)


def test_strict_stops_at_the_first_row_that_cannot_be_answered_and_goes_on_without(tmp_path, model):
    path = write_table(tmp_path / "in.jsonl", [{"text": text} for text in make_texts(600)] + [{"text": None}, {"text": "good"}])
    with pytest.raises(DataError, match=rf"Row 601 of {path} cannot be answered: The column 'text' holds nothing"):
        predict_files(path, tmp_path / "out.jsonl", model=model, strict=True)
    assert not (tmp_path / "out.jsonl").exists()
    summary = predict_files(path, tmp_path / "out.jsonl", model=model)
    assert (summary.total.rows, summary.before, summary.total.errors) == (602, 512, 1)
    assert ", 512 of them in earlier runs in " in str(summary)


def test_strict_refuses_to_go_on_where_rows_failed_before(tmp_path, model, monkeypatch):
    path = write_table(tmp_path / "in.jsonl", [{"text": None}, *({"text": text} for text in make_texts(600))])
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "assemble", lambda *_: (tmp_path / "none").read_bytes())
        with pytest.raises(FileNotFoundError):
            predict_files(path, tmp_path / "out.jsonl", model=model)
    with pytest.raises(DataError, match="1 rows that are done already could not be answered"):
        predict_files(path, tmp_path / "out.jsonl", model=model, strict=True)


def test_several_files_of_several_forms_are_one_table_in_order(tmp_path, model):
    write_table(tmp_path / "a.csv", [{"text": "good", "id": "1"}, {"text": "bad", "id": "2"}])
    write_table(tmp_path / "b.jsonl", [{"id": 3, "text": "fun", "more": {"x": [1]}}])
    write_table(tmp_path / "c.parquet", [{"text": "dog", "id": 4}])
    (tmp_path / "d.txt").write_text("last\n")
    (tmp_path / "e.csv").write_text("text,id\n")
    for wanted in FORMS:
        predict_files(
            [tmp_path / "[ab].*", tmp_path / "c.parquet", tmp_path / "d.txt", tmp_path / "e.csv"],
            tmp_path / f"out.{wanted}",
            model=model,
        )
    rows = read_table(tmp_path / "out.jsonl")
    assert [row["text"] for row in rows] == ["good", "bad", "fun", "dog", "last"]
    assert [row["id"] for row in rows] == ["1", "2", 3, 4, None]
    assert [row["more"] for row in rows] == [None, None, {"x": [1]}, None, None]
    assert [row["id"] for row in read_table(tmp_path / "out.parquet")] == ["1", "2", "3", "4", None]
    assert [row["more"] for row in read_table(tmp_path / "out.csv")] == ["", "", '{"x": [1]}', "", ""]


def test_columns_can_be_named_and_left_out(tmp_path, model, classify):
    path = write_table(tmp_path / "in.csv", [{"id": "1", "text": "bad", "body": "good", "second": "fun"}])
    predict_files(path, tmp_path / "a.jsonl", model=model, columns={"text": "body"}, keep=["id"])
    (row,) = read_table(tmp_path / "a.jsonl")
    assert list(row) == ["id", "label", "score", "error"]
    assert row["score"] == pytest.approx(classify("good")[0]["score"], abs=1e-5)
    predict_files(path, tmp_path / "b.jsonl", model=model, columns={"text": "body", "text_pair": "second"}, keep=[])
    (row,) = read_table(tmp_path / "b.jsonl")
    assert list(row) == ["label", "score", "error"]
    assert row["score"] == pytest.approx(classify({"text": "good", "text_pair": "fun"})["score"], abs=1e-5)


def test_tokens_that_were_left_out_are_counted_where_that_is_asked_for(tmp_path, model):
    path = write_table(tmp_path / "in.csv", [{"text": "good " * 99}, {"text": "good"}])
    predict_files(path, tmp_path / "out.jsonl", model=model, count_dropped=True)
    assert [row["dropped_tokens"] for row in read_table(tmp_path / "out.jsonl")] == [99 - 39, 0]


def test_records_inside_answers_and_vectors_are_written_in_every_form(tmp_path, model_folder, model):
    path = write_table(tmp_path / "in.csv", [{"text": "a [MASK] film"}, {"text": "no mask"}, {"text": "[MASK] [MASK]"}])
    folder = model_folder("masked-lm")
    for wanted in FORMS:
        predict_files(path, tmp_path / f"out.{wanted}", model=folder, top_k=3)
    rows = read_table(tmp_path / "out.parquet")
    assert rows == read_table(tmp_path / "out.jsonl")
    assert [[len(mask) for mask in row["fillings"] or ()] for row in rows] == [[3], [], [3, 3]]
    assert "has no [MASK], so there is nothing to fill" in rows[1]["error"]
    assert json.loads(read_table(tmp_path / "out.csv")[0]["fillings"])[0][0].keys() == {"score", "token", "token_str", "sequence"}
    predict_files(path, tmp_path / "v.parquet", task="sentence-embeddings", model=model_folder("base"))
    assert [len(row["embedding"]) for row in read_table(tmp_path / "v.parquet")] == [28] * 3


@pytest.mark.parametrize("wanted", FORMS)
@pytest.mark.parametrize("content", ["", "text,id\n"])
def test_no_rows_are_no_rows(tmp_path, model, wanted, content):
    (tmp_path / "in.csv").write_text(content)
    summary = predict_files(tmp_path / "in.csv", tmp_path / f"out.{wanted}", model=model)
    assert read_table(tmp_path / f"out.{wanted}") == []
    assert summary.total.rows == 0


def test_standard_input_begins_anew(tmp_path, model, monkeypatch):
    output = tmp_path / "out.jsonl"
    for text in ("good\n\nbad", "fun"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        with monkeypatch.context() as patch:
            patch.setattr(jobs, "assemble", lambda *_: (tmp_path / "none").read_bytes())
            with (
                pytest.raises(FileNotFoundError),
                pytest.warns(UserWarning, match="begins anew") if text == "fun" else nullcontext(),
            ):
                predict_files("-", output, model=model)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "dog"}')))
    with pytest.warns(UserWarning, match="standard input or a pipe cannot be read again, so the job begins anew"):
        predict_files("-", output, model=model, form="jsonl")
    assert [row["text"] for row in read_table(output)] == ["dog"]
    with pytest.raises(ConfigError, match="Standard input is named twice"):
        predict_files(["-", "-"], output, model=model)


@pytest.mark.parametrize(
    ("name", "form", "content"),
    [
        ("pipe", None, "good\nbad\n"),
        ("pipe", "csv", "text,id\ngood,1\nbad,2\n"),
        ("pipe.jsonl", None, '{"text": "good"}\n{"text": "bad"}'),
    ],
)
def test_a_pipe_is_read_once_and_wholly(tmp_path, model, name, form, content):
    os.mkfifo(tmp_path / name)
    writer = Thread(target=(tmp_path / name).write_text, args=(content,), daemon=True)  # it waits for somebody who reads
    writer.start()
    predict_files(tmp_path / name, tmp_path / "out.jsonl", model=model, form=form)
    writer.join()
    assert [row["text"] for row in read_table(tmp_path / "out.jsonl")] == ["good", "bad"]
    with pytest.raises(ConfigError, match=r"pipe.* is named twice, but it can be read only once"):
        predict_files([tmp_path / name] * 2, tmp_path / "twice.jsonl", model=model)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"output": "out.xls"},
            ConfigError,
            r"out\.xls does not say how to write the answers\. End its name in \.csv or \.jsonl",
        ),
        ({"inputs": []}, DataError, "No inputs are named"),
        ({"inputs": "none*.csv"}, DataError, r"No file matches .*none\*\.csv"),
        (
            {"columns": {"text": "body"}},
            DataError,
            r"in\.csv: There is no column 'body'; the columns are id, note\. .*--column ROLE=NAME",
        ),
        ({}, DataError, r"in\.csv: There is no text column: .* where the roles are text, text_pair\."),
        ({"columns": {"text": "note"}, "keep": ["x"]}, DataError, r"There is no column 'x' to keep"),
        ({"form": "xls"}, ConfigError, "There is no form of table 'xls'"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(tmp_path, model, arguments, error, message):
    (tmp_path / "in.csv").write_text("id,note\n1,good\n")
    given = {"inputs": "in.csv", "output": "out.csv"} | arguments
    inputs = [] if given["inputs"] == [] else tmp_path / given.pop("inputs")
    given.pop("inputs", None)
    with pytest.raises(error, match=message):
        predict_files(inputs, tmp_path / given.pop("output"), model=model, **given)
    assert not list(tmp_path.glob("out*"))


def test_a_file_of_which_no_row_can_be_read_is_refused_with_the_reason(tmp_path, model):
    (tmp_path / "in.jsonl").write_text('{"text":\n"good"}\n')
    with pytest.raises(DataError, match=r"^Line 1 of .*in\.jsonl is not JSON .*Each line must hold one object"):
        predict_files(tmp_path / "in.jsonl", tmp_path / "out.csv", model=model)


def test_pieces_can_be_answered_elsewhere_and_sent_to_and_fro(tmp_path, model, classify):
    path = write_table(tmp_path / "in.jsonl", [{"text": text} for text in [*make_texts(700), None]])
    predict_files(path, tmp_path / "here.jsonl", model=model)

    def elsewhere(job, start):
        for (block,) in map(sent, blocks(job.reading.pieces(start))):
            for answered in answer(block, classify):
                (found,) = sent(finished(answered, classify, keep=None))
                yield Later(0.0, lambda found=found: found)

    job = job_of(file_inputs([path]), tmp_path / "there.jsonl", classify)
    assert jobs.run_job(job, answers=elsewhere).total.rows == 701
    here, there = read_table(tmp_path / "here.jsonl"), read_table(tmp_path / "there.jsonl")
    assert [{**row, "score": 0} for row in there] == [{**row, "score": 0} for row in here]


def sent(value):
    """The value as it comes out of another process."""
    return unpacked(packed(value))


def test_an_output_that_is_an_input_or_a_folder_is_refused(tmp_path, model):
    path = write_table(tmp_path / "in.csv", [{"text": "good"}])
    with pytest.raises(ConfigError, match=r"in\.csv is read and would be written over"):
        predict_files(tmp_path / "*.csv", path, model=model)
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(ConfigError, match=r"out\.csv is a folder, but the answers are written to a file"):
        predict_files(path, tmp_path / "out.csv", model=model)


def test_large_rows_and_many_make_groups_of_parquet(tmp_path, model, monkeypatch):
    monkeypatch.setattr(assembling, "GROUP_ROWS", 300)
    path = write_table(tmp_path / "in.csv", [{"text": text} for text in make_texts(700)])
    predict_files(path, tmp_path / "a.parquet", model=model)
    groups = parquet.ParquetFile(tmp_path / "a.parquet").metadata
    assert [groups.row_group(number).num_rows for number in range(groups.num_row_groups)] == [300, 300, 100]
    monkeypatch.setattr(assembling, "GROUP_BYTES", 1)
    predict_files(path, tmp_path / "b.parquet", model=model)
    assert parquet.read_table(tmp_path / "b.parquet")["text"].to_pylist() == make_texts(700)


def test_a_file_that_lacks_a_column_is_refused_before_the_files_before_it_are_answered(tmp_path, model, monkeypatch):
    write_table(tmp_path / "a.csv", [{"text": "good"}])
    write_table(tmp_path / "b.csv", [{"body": "good"}])
    monkeypatch.setattr("headway.inference.engine.OnnxEngine.run", lambda *_, **__: pytest.fail("answered"))
    with pytest.raises(DataError, match=r"b\.csv: There is no text column"):
        predict_files([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out.csv", model=model)
