"""``headway predict``: what its words mean, what it prints, writes and refuses."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from headway.cli._answers import shown
from headway.cli.main import main

TEXTS = ["this movie was great fun !", "boring", "Zürich , we hate it", "", 'a "quoted, dog"']


@pytest.fixture(scope="module")
def model(model_folder):
    return str(model_folder("sequence-classification", num_labels=2, id2label={0: "NEGATIVE", 1: "POSITIVE"}))


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


def test_masks_are_filled(capsys, model_folder):
    _, out, _ = predict(capsys, "the [MASK] was good", "--model", model_folder("masked-lm"), "--top-k", 3)
    assert len(out.splitlines()) == 3
    assert all(re.fullmatch(r"\S+  0\.\d{4}  the .*was good", line) for line in out.splitlines())


def test_vectors_are_json(capsys, model_folder):
    _, out, _ = predict(capsys, "good", "bad", "--model", model_folder("base"), "--task", "sentence-embeddings")
    assert [len(json.loads(line)) for line in out.splitlines()] == [28, 28]


def test_standard_input_is_read_line_by_line(capsys, model, expected, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(TEXTS[:2]).encode() + b"\r\n")))
    _, out, _ = predict(capsys, "-", "--model", model)
    assert [line.split()[0] for line in out.splitlines()] == [label for label, _ in expected[:2]]
    assert out.endswith(f"  {TEXTS[1]}\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"id,text\n1,boring\n")))
    _, out, err = predict(capsys, "-", "--model", model, "--format", "csv")
    assert out.endswith("  boring\n")
    assert err.startswith("1 rows in ")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with a table, a text file, a folder that is no model, and a table with a gap."""
    monkeypatch.chdir(tmp_path)
    Path("t.txt").write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    Path("t.csv").write_text("id,body,note\n007,good,fun\n008,bad,dog\n")
    Path("gap.jsonl").write_text('{"text": "good"}\n{"txt": "bad"}\n{"text": "bad"}\n')
    Path("tables").mkdir()
    return tmp_path


def written(name):
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


def test_a_file_is_answered_row_by_row_and_summed_up(capsys, model, expected, folder):
    status, out, err = predict(capsys, "t.txt", "--out", "a.jsonl", "--model", model)
    assert (status, err) == (0, "")
    rows = written("a.jsonl")
    assert [row["text"] for row in rows] == TEXTS
    assert scored(rows) == expected
    labels = [label for label, _ in expected]
    counts = ", ".join(f"{label} {labels.count(label)}" for label in sorted(set(labels), key=labels.count, reverse=True))
    assert re.fullmatch(rf"5 rows in \d+\.\d s \([\d,]+ rows/s, [\d,]+ tokens/s\); {counts}\. Written to a\.jsonl\n", out)


def test_without_out_a_file_is_answered_on_the_screen_and_summed_up_beside(capsys, model, expected, folder):
    _, out, err = predict(capsys, "t.txt", "--model", model)
    assert [line.split("  ")[0] for line in out.splitlines()] == [label for label, _ in expected]
    assert err.startswith("5 rows in ")


def test_a_row_that_cannot_be_answered_is_said_beside_and_the_others_answered(capsys, model, folder):
    status, out, err = predict(capsys, "gap.jsonl", "--model", model)
    assert status == 0
    assert len(out.splitlines()) == 2
    assert "headway: The column 'text' holds nothing, where the text belongs." in err
    assert "3 rows, 1 with errors in " in err


@pytest.mark.parametrize(
    ("words", "task", "is_named"),
    [
        pytest.param(["sentiment-analysis", "good"], "text-classification", True, id="alias"),
        pytest.param(["text-classification", "good"], "text-classification", True, id="task"),
        pytest.param(["MODEL", "good"], "text-classification", False, id="model"),
        pytest.param(["good"], "text-classification", True, id="text"),
        pytest.param(["--task", "sentiment-analysis", "MODEL", "good"], "text-classification", False, id="model after --task"),
    ],
)
def test_a_task_or_a_model_may_stand_before_the_inputs(capsys, model, expected, words, task, is_named):
    words = [model if word == "MODEL" else word for word in words]
    _, out, _ = predict(capsys, *words, *(["--model", model] if is_named else []))
    assert re.fullmatch(r"(POSITIVE|NEGATIVE)  0\.\d{4}  good\n", out)


@pytest.mark.parametrize("word", ["text-clasification", "sentiment-analisys", "rerankin"])
def test_a_task_with_a_typing_error_before_inputs_is_no_text(capsys, word):
    status, out, err = predict(capsys, word, "good")
    assert (status, out) == (1, "")
    assert err.startswith(f"headway: There is no task '{word}' among those that Headway does. Known tasks: ")


@pytest.mark.parametrize("words", [["text-clasification"], ["nerd", "good"], ["sentiment of yours", "good"]])
def test_other_words_are_texts(capsys, model, words):
    assert [line.split("  ")[-1] for line in predict(capsys, *words, "--model", model)[1].splitlines()] == words


def test_a_name_with_a_slash_is_a_model_only_before_inputs(capsys, model):
    status, _, err = predict(capsys, "owner/name", "good")
    assert status == 1
    assert "owner/name" in err
    assert predict(capsys, "either/or", "--model", model)[1].endswith("  either/or\n")


def test_the_shipped_model_is_named_by_its_name_and_taken_where_none_is_named(capsys):
    assert predict(capsys, "sentiment", "I love this product!")[1].startswith("POSITIVE  0.9")
    assert predict(capsys, "I love this product!")[1].startswith("POSITIVE  0.9")


def test_columns_are_named_by_role_and_kept_by_name(capsys, model, expected, folder):
    assert predict(capsys, "t.csv", "--column", "body", "--out", "a.jsonl", "--keep", "id", "--model", model)[0] == 0
    assert [list(row) for row in written("a.jsonl")] == [["id", "label", "score", "error"]] * 2
    assert [row["id"] for row in written("a.jsonl")] == ["007", "008"]
    predict(capsys, "t.csv", "--column", "text=body", "--out", "b.jsonl", "--keep", "none", "--model", model)
    assert [row["score"] for row in written("b.jsonl")] == [row["score"] for row in written("a.jsonl")]
    assert list(written("b.jsonl")[0]) == ["label", "score", "error"]
    _, out, _ = predict(capsys, "t.csv", "--column", "text=body", "text_pair=note", "--model", model)
    assert [line.split("  ")[2] for line in out.splitlines()] == ["good | fun", "bad | dog"]


def test_pairs_are_found_by_usual_names(capsys, model, folder):
    Path("pairs.csv").write_text("premise,hypothesis,note\na film,a movie,boring\n")
    assert predict(capsys, "pairs.csv", "--model", model)[1].endswith("a film | a movie\n")


def test_options_of_the_task_are_read_as_it_wants_them(capsys, model, model_folder, folder):
    _, out, _ = predict(capsys, "good", "--model", model, "--options", "top_k=none", "function_to_apply=none")
    assert len(out.splitlines()) == 2
    assert any(float(line.split("  ")[1]) < 0 or float(line.split("  ")[1]) > 1 for line in out.splitlines())
    Path("m.txt").write_text("a [MASK] film\n")
    masks = str(model_folder("masked-lm"))
    _, out, _ = predict(capsys, masks, "m.txt", "--options", "targets=good,bad")
    assert sorted(line.split()[0] for line in out.splitlines()) == ["bad", "good"]
    predict(capsys, "good " * 99, "--model", model, "--options", "count_dropped=true", "--out", "a.jsonl")
    assert written("a.jsonl")[0]["dropped_tokens"] == 99 - 39
    _, out, _ = predict(capsys, "good " * 99, "--model", model, "--overflow", "window", "--stride", 3)
    assert out
    assert predict(capsys, "good " * 99, "--model", model, "--overflow", "error")[0] == 1


def test_texts_can_be_written_to_a_file_and_patterns_name_several(capsys, model, expected, folder):
    predict(capsys, *TEXTS[:3], "--out", "a.csv", "--model", model)
    Path("b.csv").write_text("text\nfun\n")
    assert predict(capsys, "[ab].csv", "--out", "c.jsonl", "--model", model)[0] == 0
    assert [row["text"] for row in written("c.jsonl")] == [*TEXTS[:3], "fun"]
    assert [row["predicted_label"] for row in written("c.jsonl")][:3] == [label for label, _ in expected[:3]]


def test_lone_surrogates_can_be_read_shown_and_written(capsys, model, folder):
    Path("odd.jsonl").write_text('{"text": "odd \\ud800 text"}\n')
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        status, _, err = predict(capsys, "odd.jsonl", "--out", name, "--model", model)
        assert status == 0, err
    assert written("a.jsonl")[0]["text"] == "odd \ud800 text"
    assert predict(capsys, "odd.jsonl", "--model", model)[1].endswith("odd ? text\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], 'There is nothing to answer. Give texts (headway predict "I love it!") or files', id="nothing"),
        pytest.param(["sentiment-analysis"], "There is nothing to answer with sentiment-analysis.", id="task alone"),
        pytest.param(["good", "t.csv"], "Both texts ('good') and files ('t.csv') are given. Give either", id="both"),
        pytest.param(
            ["sentimnt", "t.csv"], "'sentimnt' is no task, no model that ships, and no folder of a model.", id="no model"
        ),
        pytest.param(
            ["t.cvs", "--out", "a.csv"], "There is no file t.cvs, and .cvs is no ending of tables. Did you mean", id="cvs"
        ),
        pytest.param(["none.txt"], "There is no file none.txt, so there is nothing to read", id="no file"),
        pytest.param(["*.tsv"], "No file matches *.tsv", id="no match"),
        pytest.param(["tables"], "tables is a folder without a config.json, so it is no model", id="folder"),
        pytest.param(
            ["good", "--out", "a.txt"], "does not say how to write the answers. End its name in .csv or .json", id="out"
        ),
        pytest.param(["t.csv"], "none of text, sentence, content, review", id="unknown column"),
        pytest.param(["t.csv"], "That is --column ROLE=NAME, where the roles are text, text_pair.", id="flag"),
        pytest.param(["t.csv", "--column", "txt"], "There is no column 'txt'; the columns are id, body, note", id="column"),
        pytest.param(["t.csv", "--column", "question=body"], "'question' is nothing that this task reads", id="role"),
        pytest.param(["good", "--column", "body"], "--column is about files, but texts are given.", id="texts have no columns"),
        pytest.param(["t.csv", "--keep", "id"], "--keep is about the file that is written, but none is named.", id="keep"),
        pytest.param(["t.csv", "--restart"], "--restart is about the file that is written", id="restart"),
        pytest.param(
            ["gap.jsonl", "--strict"], "Row 2 of gap.jsonl cannot be answered: The column 'text' holds nothing", id="strict"
        ),
        pytest.param(
            ["gap.jsonl", "--strict", "--out", "a.csv"],
            "Row 2 of gap.jsonl cannot be answered: The column 'text'",
            id="strict to a file",
        ),
        pytest.param(["t.txt", "--format", "xls"], "There is no form of table 'xls'", id="form"),
        pytest.param(["good", "--top-k", "0"], "top_k is 0, but it counts answers", id="top k"),
        pytest.param(["good", "--options", "top_k"], "--options top_k does not say what is what", id="option without value"),
        pytest.param(["good", "--options", "top_k=x"], "--options top_k=x is no value of that option, which takes a", id="value"),
        pytest.param(["good", "--options", "topk=1"], "has no option 'topk'", id="unknown option"),
        pytest.param(["good", "--task", "sentiment"], "There is no task 'sentiment' among those that Headway does.", id="task"),
    ],
)
def test_what_cannot_be_done_is_said_on_one_line_with_status_1(capsys, model, folder, arguments, message):
    before = sorted(path.name for path in folder.iterdir())
    status, _, err = predict(capsys, *arguments, "--model", model)
    assert status == 1
    assert message in err
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".parts") == before


def test_a_failure_half_way_leaves_the_old_output_and_what_was_done(capsys, model, folder, monkeypatch):
    Path("a.jsonl").write_text("old\n")
    monkeypatch.setattr("headway.inference.engine.OnnxEngine.run", lambda *_, **__: Path("gone").read_bytes())
    status, _, _ = predict(capsys, "t.txt", "--out", "a.jsonl", "--model", model)
    assert status == 1
    assert Path("a.jsonl").read_text() == "old\n"


def test_texts_need_no_library_for_tables(model):
    code = (
        "import sys; from headway.cli.main import main\n"
        "status = main(['predict', 'good', '--model', sys.argv[1]])\n"
        "assert status == 0 and 'pyarrow' not in sys.modules, status"
    )
    done = subprocess.run([sys.executable, "-c", code, model], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_answers_are_shown_as_their_kind_is_read():
    mask = [{"token_str": "good", "score": 0.5, "sequence": "good [MASK]", "token": 3}]
    assert shown("[MASK] [MASK]", [mask, mask]) == "\n".join(["good  0.5000  good [MASK]"] * 2)
    assert shown("x", {"answer": "é", "score": 0.5}) == '{"answer": "é", "score": 0.5}'
    assert shown("x", []) == "[]"
