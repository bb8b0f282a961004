"""``headway predict``: what it reads, prints, writes and refuses."""

import csv
import gzip
import io
import json
import lzma
import re

import pytest

from headway.cli._answers import shown
from headway.cli.main import main

TEXTS = ["this movie was great fun !", "boring", "Zürich , we hate it", "", 'a "quoted, dog"']


@pytest.fixture(scope="module")
def model(model_folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield str(model_folder("sequence-classification", num_labels=2, id2label={0: "NEGATIVE", 1: "POSITIVE"}))


@pytest.fixture(scope="module")
def expected(model):
    """Each text's label and score, from the pipeline."""
    from headway import pipeline

    return [(found["label"], found["score"]) for found in pipeline("sentiment-analysis", model)(TEXTS)]


def predict(capsys, *arguments):
    """Exit status, what was printed, what was said."""
    status = main(["predict", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def scored(rows):
    return [(row["label"], pytest.approx(float(row["score"]), abs=1e-5)) for row in rows]


def test_a_text_is_answered_on_one_line(capsys, model, expected):
    status, out, err = predict(capsys, TEXTS[0], "--model", model)
    label, score = expected[0]
    assert (status, out, err) == (0, f"{label}  {score:.4f}  {TEXTS[0]}\n", "")


def test_several_texts_are_answered_in_their_order(capsys, model, expected):
    _, out, _ = predict(capsys, *TEXTS[:3], "--model", model, "--task", "sentiment-analysis")
    assert out.splitlines() == [
        f"{label}  {score:.4f}  {text}" for (label, score), text in zip(expected[:3], TEXTS[:3], strict=True)
    ]


def test_top_k_labels_stand_on_as_many_lines(capsys, model):
    _, out, _ = predict(capsys, "boring", "--model", model, "--top-k", 2)
    assert sorted(line.split()[0] for line in out.splitlines()) == ["NEGATIVE", "POSITIVE"]


def test_masks_are_filled(capsys, model_folder, cache_folder):
    _, out, _ = predict(capsys, "the [MASK] was good", "--model", model_folder("masked-lm"), "--top-k", 3)
    assert len(out.splitlines()) == 3
    assert all(re.fullmatch(r"\S+  0\.\d{4}  the .*was good", line) for line in out.splitlines())


def test_vectors_are_json(capsys, model_folder, cache_folder):
    _, out, _ = predict(capsys, "good", "bad", "--model", model_folder("base"), "--task", "sentence-embeddings")
    assert [len(json.loads(line)) for line in out.splitlines()] == [28, 28]


def test_standard_input_is_read_line_by_line(capsys, model, expected, monkeypatch):
    for arguments in (["-"], ["--file", "-"]):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(TEXTS[:2]) + "\n"))
        _, out, _ = predict(capsys, *arguments, "--model", model)
        assert [line.split()[0] for line in out.splitlines()] == [label for label, _ in expected[:2]]


def write_texts(path, *, column="text", extra=()):
    opened = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    kind = [suffix for suffix in path.suffixes if suffix not in (".gz", ".xz")][-1]
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        if kind == ".txt":
            file.writelines(f"{text}\n" for text in TEXTS)
        elif kind == ".jsonl":
            file.writelines(json.dumps({column: text, "id": place}) + "\n" for place, text in enumerate(TEXTS))
        else:
            table = csv.writer(file)
            table.writerow(["id", column])
            table.writerows([place, text] for place, text in enumerate(TEXTS))
    return path


@pytest.mark.parametrize("name", ["texts.txt", "texts.csv", "texts.jsonl", "texts.txt.gz", "texts.csv.xz", "texts.jsonl.xz"])
def test_files_are_answered_row_by_row_and_summed_up(capsys, model, expected, tmp_path, name):
    output = tmp_path / "answers.jsonl"
    status, out, err = predict(capsys, "--file", write_texts(tmp_path / name), "--output", output, "--model", model)
    assert status == 0
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == TEXTS
    assert scored(rows) == expected
    labels = [label for label, _ in expected]
    counts = ", ".join(f"{label} {labels.count(label)}" for label in sorted(set(labels), key=labels.count, reverse=True))
    assert re.fullmatch(
        rf"5 texts in \d+\.\d s \([\d,]+ texts/s, [\d,]+ tokens/s\); {counts}\. Written to {re.escape(str(output))}\n", out
    )
    assert "Predicting: 100%" in err
    assert "5/5" in err


def test_csv_is_written_with_quotes_where_needed(capsys, model, expected, tmp_path):
    output = tmp_path / "answers.csv"
    predict(capsys, *TEXTS, "--output", output, "--model", model)
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == TEXTS
    assert scored(rows) == expected


def test_several_labels_are_columns_in_csv_and_a_list_in_json(capsys, model, tmp_path):
    predict(capsys, "boring", "--output", tmp_path / "a.csv", "--model", model, "--top-k", 2)
    predict(capsys, "boring", "--output", tmp_path / "a.jsonl", "--model", model, "--top-k", 2)
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == "text,label,score,label_2,score_2"
    assert [set(one) for one in json.loads((tmp_path / "a.jsonl").read_text())["answers"]] == [{"label", "score"}] * 2


def test_other_tasks_answers_are_written_as_json_in_one_column(capsys, model_folder, cache_folder, tmp_path):
    predict(capsys, "good", "--output", tmp_path / "a.csv", "--model", model_folder("base"), "--task", "sentence-embeddings")
    with (tmp_path / "a.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["text"], len(json.loads(row["answers"]))) == ("good", 28)


def test_answers_of_several_forms_do_not_fit_one_csv(capsys, model_folder, cache_folder, tmp_path):
    texts, model = ["a [MASK]", "[MASK] or [MASK]"], model_folder("masked-lm")
    status, _, err = predict(capsys, *texts, "--output", tmp_path / "a.csv", "--model", model)
    assert status == 1
    assert "The answers do not all have the same columns" in err
    assert "Write .jsonl instead of .csv" in err
    assert predict(capsys, *texts, "--output", tmp_path / "a.jsonl", "--model", model)[0] == 0


def test_without_output_a_file_is_answered_on_the_screen_and_summed_up_beside(capsys, model, expected, tmp_path):
    _, out, err = predict(capsys, "--file", write_texts(tmp_path / "texts.txt"), "--model", model)
    assert [line.split("  ")[0] for line in out.splitlines()] == [label for label, _ in expected]
    assert "5 texts in" in err


def test_pairs_are_found_in_tables_and_columns_may_be_named(capsys, model, tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text("premise,hypothesis,note\na film,a movie,boring\n", encoding="utf-8")
    _, out, _ = predict(capsys, "--file", table, "--model", model)
    assert out.endswith("a film | a movie\n")
    _, out, _ = predict(capsys, "--file", table, "--model", model, "--column", "note")
    assert out.endswith("  boring\n")
    _, out, _ = predict(capsys, "--file", table, "--model", model, "--column", "note", "--pair-column", "premise")
    assert out.endswith("  boring | a film\n")


def test_lone_surrogates_can_be_read_shown_and_written(capsys, model, tmp_path):
    rows = tmp_path / "odd.jsonl"
    rows.write_text('{"text": "odd \\ud800 text"}\n')
    for name in ("a.jsonl", "a.csv"):
        status, _, err = predict(capsys, "--file", rows, "--output", tmp_path / name, "--model", model)
        assert status == 0, err
    assert json.loads((tmp_path / "a.jsonl").read_text())["text"] == "odd \ud800 text"
    assert predict(capsys, "--file", rows, "--model", model)[1].endswith("odd ? text\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], 'There is nothing to answer. Give texts (headway predict "I love it!") or a file', id="nothing"),
        pytest.param(["good", "--file", "x.txt"], "Both texts and --file are given.", id="both"),
        pytest.param(["--file", "DIR/none.txt"], "none.txt cannot be read", id="no file"),
        pytest.param(["--file", "DIR/none.csv"], "none.csv cannot be read", id="no table"),
        pytest.param(["--file", "DIR/odd.parquet"], "odd.parquet cannot be read", id="kind"),
        pytest.param(
            ["good", "--output", "DIR/a.txt"], "does not say how to write the answers. End its name in .jsonl or .csv", id="out"
        ),
        pytest.param(
            ["--file", "DIR/t.txt", "--column", "text"], "is a text file, one text a line, and has no columns", id="txt column"
        ),
        pytest.param(["--file", "DIR/t.csv"], "none of text, sentence, content, review", id="unknown column"),
        pytest.param(
            ["--file", "DIR/t.csv"], "is among the columns id, body. Name the one that holds the text. The flags are", id="flags"
        ),
        pytest.param(
            ["--file", "DIR/t.csv", "--column", "txt"], "There is no column 'txt'; the columns are id, body", id="column"
        ),
        pytest.param(["--file", "DIR/gap.jsonl"], "Row 2 of", id="gap"),
        pytest.param(["--file", "DIR/gap.jsonl"], "holds nothing in column 'text', where a text belongs", id="gap said"),
        pytest.param(["good", "--top-k", "0"], "top_k is 0, but it counts answers", id="top k"),
        pytest.param(
            ["good", "--task", "sentiment"], "There is no task 'sentiment' among those that Headway does. Known tasks:", id="task"
        ),
    ],
)
def test_what_cannot_be_done_is_said_on_one_line_with_status_1(capsys, model, tmp_path, arguments, message):
    (tmp_path / "t.txt").write_text("good\n")
    (tmp_path / "odd.parquet").write_text("PAR1")
    (tmp_path / "t.csv").write_text("id,body\n1,good\n")
    (tmp_path / "gap.jsonl").write_text('{"text": "good"}\n{"txt": "bad"}\n')
    status, out, err = predict(capsys, *[argument.replace("DIR", str(tmp_path)) for argument in arguments], "--model", model)
    assert (status, out) == (1, "")
    assert message in err


def test_a_failure_half_way_leaves_no_output_behind(capsys, model, tmp_path, monkeypatch):
    output = tmp_path / "answers.jsonl"
    output.write_text("old\n")
    texts = tmp_path / "texts.txt"
    texts.write_text("good\n" * 200)
    monkeypatch.setattr("headway.inference.engine.OnnxEngine.run", lambda *_, **__: (tmp_path / "gone").read_bytes())
    status, _, _ = predict(capsys, "--file", texts, "--output", output, "--model", model)
    assert status == 1
    assert output.read_text() == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.jsonl", "texts.txt"]


def test_answers_of_several_masks_are_shown_one_after_the_other():
    mask = [{"token_str": "good", "score": 0.5, "sequence": "good [MASK]", "token": 3}]
    assert shown("[MASK] [MASK]", [mask, mask]) == "\n".join(["good  0.5000  good [MASK]"] * 2)


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADWAY_CACHE", str(tmp_path / "cache"))
