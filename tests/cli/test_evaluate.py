"""``headway evaluate``: what it prints, writes and refuses."""

import hashlib
import json
from dataclasses import replace

import pytest

from headway.cli._report import table
from headway.cli.commands.evaluate import pairs, places, read_value
from headway.cli.main import main
from headway.settings.evaluation import EvaluateSettings

TEXTS = ["this movie was great fun !", "boring", "we hate it", "the dog", "not very good", "a story", "awful ; but fun"]


@pytest.fixture(scope="module")
def model(model_folder):
    return str(model_folder("sequence-classification", seed=9, num_labels=2, id2label={0: "NEGATIVE", 1: "POSITIVE"}))


@pytest.fixture(scope="module")
def labels(model):
    """What the pipeline answers."""
    from headway import pipeline

    return [found["label"] for found in pipeline("sentiment-analysis", model)(TEXTS)]


def written(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path, labels):
    """The pipeline's own answers, but for the second; the last row tells nothing."""
    right = ["NEGATIVE" if labels[1] == "POSITIVE" else "POSITIVE"]
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, [labels[0], *right, *labels[2:]], strict=True)]
    return written(tmp_path / "rows.jsonl", [*rows, {"text": "withheld", "label": -1}])


def evaluate(capsys, *arguments):
    """Exit status, what was printed, what was said."""
    quick = () if "--resamples" in arguments else ("--resamples", 50)
    status = main(["evaluate", *map(str, (*arguments, *quick))])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_measures_intervals_and_tables_are_printed(capsys, model, data, labels):
    status, out, err = evaluate(capsys, model, data, "--resamples", 50)
    assert (status, err) == (0, "")
    first, second, _, header, accuracy, f1, *rest = out.splitlines()
    assert first == f"text-classification by {model} (fp32) on {data}"
    assert second.startswith("7 rows in ")
    assert second.endswith("; 1 without a reference left out")
    assert header.split() == ["measure", "value", "95", "%", "interval"]
    assert accuracy.split()[:2] == ["accuracy", "0.8571"]
    assert f1.split()[0] == "f1"
    assert {"By label", "References in rows, answers in columns"} <= set(rest)
    assert not any(line.startswith("Worst") for line in rest)


def test_the_worst_mistakes_are_printed_with_their_texts(capsys, model, data, labels):
    _, out, _ = evaluate(capsys, model, data, "--worst", 3, "--resamples", 0)
    *_, heading, row, text = out.splitlines()
    assert heading == "Worst mistakes"
    right = "NEGATIVE" if labels[1] == "POSITIVE" else "POSITIVE"
    assert row.startswith(f"row 2: {right}, answered {labels[1]} (0.")
    assert text == f"    {TEXTS[1]}"


def test_without_resamples_there_are_no_intervals(capsys, model, data):
    _, out, _ = evaluate(capsys, model, data, "--resamples", 0)
    assert "interval" not in out


def test_everything_is_written_as_json_on_request(capsys, model, data, tmp_path):
    path = tmp_path / "made" / "report.json"
    status, out, _ = evaluate(capsys, model, data, "--out", path, "--worst", 1, "--seed", 5, "--confidence", 0.5)
    assert status == 0
    assert out.splitlines()[-1] == f"Written to {path}"
    assert "50 % interval" in out
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["scores"]["accuracy"] == pytest.approx(6 / 7)
    assert (found["rows"], found["left_out"], found["model"], found["data"]) == (7, 1, model, str(data))
    assert found["settings"]["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert (found["settings"]["seed"], found["settings"]["precision"]) == (5, "fp32")
    assert found["worst"][0]["row"] == 2
    assert [table["title"] for table in found["details"]] == ["By label", "References in rows, answers in columns"]


def test_equal_seeds_print_the_same(capsys, model, data):
    first, again, other = (evaluate(capsys, model, data, "--seed", seed)[1].splitlines()[2:9] for seed in (1, 1, 2))
    assert first == again != other


def test_flags_may_stand_between_the_model_and_the_data(capsys, model, data):
    assert evaluate(capsys, model, "--limit", 3, data, "--task", "sentiment-analysis")[1].splitlines()[1].startswith("3 rows")


def test_columns_labels_and_options_are_named_with_equals_signs(capsys, model, labels, tmp_path):
    rows = [{"review": text, "stars": 5 if label == "POSITIVE" else 1} for text, label in zip(TEXTS, labels, strict=True)]
    path = written(tmp_path / "rows.jsonl", rows)
    named = [
        "--column",
        "text=review",
        "label=stars",
        "--labels",
        "1=NEGATIVE",
        "5=1",
        "--options",
        "overflow=window",
        "stride=2",
    ]
    status, out, _ = evaluate(capsys, model, path, *named, "--out", tmp_path / "report.json")
    assert status == 0
    assert "accuracy              1.0000" in out
    options = json.loads((tmp_path / "report.json").read_text())["settings"]["options"]
    assert (options["overflow"], options["stride"]) == ("window", 2)


def test_a_set_of_glue_is_found_by_name_and_its_measure_marked(capsys, model, labels, tmp_path):
    rows = [{"sentence": text, "label": int(label == "POSITIVE")} for text, label in zip(TEXTS, labels, strict=True)]
    written(tmp_path / "glue" / "sst2" / "validation.jsonl", rows)
    status, out, _ = evaluate(capsys, model, tmp_path, "--glue", "sst2")
    assert status == 0
    assert f"on GLUE sst2, {tmp_path}" in out.splitlines()[0]
    assert out.splitlines()[4].startswith("accuracy *")
    assert "* what the benchmark reports" in out


def test_with_a_set_of_glue_a_folder_that_is_no_model_is_its_place(model, tmp_path):
    alone = EvaluateSettings(model=str(tmp_path), glue="sst2")
    assert places(alone) == (None, tmp_path)
    for changes in ({"glue": None}, {"model": model}, {"model": "sentiment"}):
        settings = replace(alone, **changes)
        assert places(settings) == (settings.model, None)


def test_the_measure_that_a_benchmark_reports_stands_first(capsys, model, tmp_path):
    rows = [{"sentence": text, "label": place % 2} for place, text in enumerate(TEXTS)]
    path = written(tmp_path / "rows.jsonl", rows)
    _, out, _ = evaluate(capsys, model, path, "--glue", "cola", "--labels", "0=NEGATIVE", "1=POSITIVE")
    assert out.splitlines()[4].startswith("matthews correlation *")


def test_a_squad_file_is_measured_as_it_is(capsys, model_folder, tmp_path):
    questions = [{"id": str(place), "question": "who ?", "answers": [{"text": "dog", "answer_start": 4}]} for place in range(3)]
    paragraphs = [{"context": "the dog and two cats", "qas": questions}]
    (tmp_path / "dev.json").write_text(json.dumps({"data": [{"title": "x", "paragraphs": paragraphs}]}), encoding="utf-8")
    status, out, _ = evaluate(capsys, model_folder("question-answering", num_labels=2), tmp_path / "dev.json")
    assert status == 0
    first, second, _, _, *rest = out.splitlines()
    assert first.startswith("question-answering by ")
    assert second.startswith("3 rows")
    assert [line.split()[0] for line in rest[:2]] == ["f1", "exact"]


def test_a_conll_file_is_measured_as_it_is(capsys, model_folder, tmp_path):
    (tmp_path / "dev.txt").write_text("the O\ndog B-X\n\nwe O\n\nsee O\nit B-X\n", encoding="utf-8")
    names = {0: "O", 1: "B-X", 2: "I-X"}
    folder = model_folder("token-classification", num_labels=3, id2label=names)
    status, out, _ = evaluate(capsys, folder, tmp_path / "dev.txt")
    assert status == 0
    first, second, _, _, *rest = out.splitlines()
    assert first.startswith("token-classification by ")
    assert second.startswith("3 rows")
    assert [line.split()[0] for line in rest[:3]] == ["f1", "precision", "recall"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param([], 1, "There is nothing to measure on. Name a model and labelled rows", id="nothing"),
        pytest.param(["MODEL"], 1, "There is nothing to measure on", id="no data"),
        pytest.param(["MODEL", "nowhere.csv"], 1, "There is no file nowhere.csv", id="no such file"),
        pytest.param(
            ["MODEL", "DATA", "--out", "report.txt"], 1, "--out report.txt is written as JSON. End its name in .json", id="out"
        ),
        pytest.param(
            ["MODEL", "DATA", "--labels", "positive"], 1, "'positive' does not say what is what: write a name,", id="no pair"
        ),
        pytest.param(["MODEL", "DATA", "--confidence", "95"], 1, "confidence is 95.0, but it is the share", id="confidence"),
        pytest.param(
            ["MODEL", "DATA", "--glue", "sst3"], 1, "GLUE has no set 'sst3' whose labels are known. Did you mean", id="glue"
        ),
        pytest.param(["MODEL", "DATA", "--options", "colour=red"], 1, "has no option 'colour'", id="option"),
        pytest.param(["MODEL", "DATA", "--limit", "many"], 2, "'many' is not a whole number", id="misuse"),
        pytest.param(["MODEL", "DATA", "--worts", "3"], 2, "there is no flag '--worts'. Did you mean '--worst'?", id="flag"),
        pytest.param(
            ["MODEL", "DATA", "more"], 2, "nothing is expected after the arguments above, but 'more' came", id="too much"
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(capsys, model, data, arguments, status, said):
    known = {"MODEL": model, "DATA": data}
    found, out, err = evaluate(capsys, *(known.get(word, word) for word in arguments))
    assert (found, out) == (status, "")
    assert said in err


def test_labels_that_do_not_meet_are_both_listed_with_the_way_to_map_them(capsys, model, tmp_path):
    path = written(
        tmp_path / "rows.jsonl", [{"text": text, "label": label} for text, label in zip(TEXTS, "abcabca", strict=True)]
    )
    status, _, err = evaluate(capsys, model, path)
    assert status == 1
    assert "Row 1: The label 'a' is none of the model's: NEGATIVE, POSITIVE." in err
    assert "--labels a=NEGATIVE …" in err
    assert "The data's labels are a, b, c." in err


def test_words_with_equals_signs_are_read():
    assert pairs(["a=b", "c=d=e"], "--x a=b") == {"a": "b", "c": "d=e"}
    assert [read_value(word) for word in ("3", "true", "null", "window", "0.5")] == [3, True, None, "window", 0.5]


def test_a_table_has_its_first_column_to_the_left_and_the_others_to_the_right():
    assert table(("label", "F1", "n"), [("a", 0.5, 1234), ("longer", 1.0, 7)]) == (
        "label       F1      n\na       0.5000  1,234\nlonger  1.0000      7"
    )
