"""``evaluate()`` on tiny models: the numbers are those of the pipeline's own answers."""

import json
import weakref
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import headway
from headway import pipeline
from headway.errors import ConfigError, DataError, TaskError
from headway.evaluation import Mistake, Report, evaluate
from headway.evaluation.labelling import LabelNames
from headway.evaluation.rows import LabelledRow, Reader, data_of
from headway.evaluation.running import Measure, Worst, run
from headway.families import family
from headway.inference.schedule import Answered
from headway.tasks import ModelFacts, task
from headway.tasks.classification_scorer import LabelScorer

measured = partial(evaluate, resamples=5)

TEXTS = ["this movie was great fun !", "boring", "we hate it", "the dog", "not very good", "a story", "awful ; but fun"]
NLI = {0: "contradiction", 1: "entailment", 2: "neutral"}  # not in GLUE's order


@pytest.fixture(scope="module")
def ready(model_folder):
    return pipeline(None, model_folder("sequence-classification", seed=9, num_labels=2, id2label={0: "NEGATIVE", 1: "POSITIVE"}))


@pytest.fixture(scope="module")
def answers(ready):
    """The label that the pipeline gives to each text."""
    return [found["label"] for found in ready(TEXTS)]


def rows_of(labels, texts=TEXTS):
    return [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]


def test_it_is_a_public_name():
    assert headway.evaluate is evaluate


def test_answers_are_measured_against_the_references(ready, answers):
    wrong = {"POSITIVE": "NEGATIVE", "NEGATIVE": "POSITIVE"}
    labels = [wrong[answers[0]], wrong[answers[1]], *answers[2:]]
    report = measured(ready, rows_of(labels), resamples=40)
    assert report.scores["accuracy"] == pytest.approx(5 / 7)
    low, high = report.intervals["accuracy"]
    assert low < 5 / 7 < high
    assert (report.task, report.rows, report.left_out, report.worst) == ("text-classification", 7, 0, ())
    assert report.tokens == sum(len(ready.tokenizer(text)["input_ids"]) for text in TEXTS)
    by_label, confusion = report.details
    assert sum(row[4] for row in by_label.rows) == 7
    assert {name: sum(row[1:]) for name, *row in ((row[0], *row) for row in confusion.rows)}
    assert sum(confusion.rows[place][place + 1] for place in range(len(confusion.rows))) == 5


def test_progress_is_shown_on_request(ready, answers, capsys):
    measured(ready, rows_of(answers), resamples=3)
    assert capsys.readouterr().err == ""
    measured(ready, rows_of(answers), resamples=3, progress=True)
    assert "Evaluating: 100%" in capsys.readouterr().err


def test_a_generator_is_measured_as_its_list_is(ready, answers):
    rows = rows_of(answers)
    one, other = measured(ready, rows, resamples=9), measured(ready, iter(rows), resamples=9)
    assert one.scores == other.scores == one.scores | {"accuracy": 1.0}
    assert one.intervals == other.intervals


def test_the_worst_mistakes_are_kept_the_worst_first(ready):
    report = measured(ready, rows_of(["POSITIVE"] * 7), worst=2)
    scores = [found["score"] for found in sorted(ready(TEXTS), key=lambda one: -one["score"]) if found["label"] == "NEGATIVE"]
    assert [mistake.answer[0]["score"] for mistake in report.worst] == pytest.approx(scores[:2])
    assert all(TEXTS[mistake.row - 1] == mistake.item for mistake in report.worst)
    assert report.worst[0].reference == {"label": "POSITIVE"}


def test_rows_without_a_reference_are_left_out_and_counted(ready, answers):
    report = measured(ready, rows_of([-1, None, *answers[2:]]))
    assert (report.rows, report.left_out, report.scores["accuracy"]) == (5, 2, 1.0)


@pytest.mark.parametrize("wrap", [list, iter])
def test_where_no_row_has_a_reference_there_is_nothing_to_measure(ready, wrap):
    with pytest.raises(DataError, match=r"None of the 7 rows of rows in memory tells its reference \(it is empty or -1\), as in"):
        measured(ready, wrap(rows_of([-1] * 7)))


def test_a_label_of_no_meaning_is_said_before_the_model_runs(ready, monkeypatch):
    monkeypatch.setattr(ready.engine, "run", lambda *_, **__: pytest.fail("the model was run"))
    rows = [*rows_of([0] * 7)] * 300
    with pytest.raises(DataError, match=r"Row 2101: The label 'mixed' is none of the model's: NEGATIVE, POSITIVE\."):
        measured(ready, [*rows, {"text": "so", "label": "mixed"}])


def test_a_reference_that_only_its_measure_can_read_is_said_with_its_row(model_folder):
    rows = [{"question": "who ?", "context": text, "answers": [text]} for text in TEXTS]
    rows[4]["answers"] = 3
    with pytest.raises(DataError, match=r"Row 5: The answers are 3, but right answers are texts"):
        measured(model_folder("question-answering", num_labels=2), rows)


def test_labels_that_the_model_calls_otherwise_can_be_mapped(ready, answers):
    stars = ["5" if answer == "POSITIVE" else "1" for answer in answers]
    report = measured(ready, rows_of(stars), labels={"1": "NEGATIVE", 5: "POSITIVE"})
    assert report.scores["accuracy"] == 1.0


def test_a_named_label_that_no_row_has_is_said(ready, answers):
    stars = ["5" if answer == "POSITIVE" else "1" for answer in answers]
    report = measured(ready, rows_of(stars), labels={"1": "NEGATIVE", 5: "POSITIVE", "bad": "NEGATIVE"})
    assert report.notes == ("No row has the label 'bad', which --labels names. The data's: 1, 5.",)
    numbers = [["NEGATIVE", "POSITIVE"].index(answer) for answer in answers]
    named = measured(ready, rows_of(numbers), glue="sst2", labels={"negative": "NEGATIVE", "positive": "POSITIVE"})
    assert named.notes == ()


def test_other_columns_can_be_named(ready, answers):
    rows = [{"review": text, "stars": label, "text": "never read"} for text, label in zip(TEXTS, answers, strict=True)]
    report = measured(ready, rows, columns={"text": "review", "label": "stars"})
    assert report.scores["accuracy"] == 1.0
    assert report.settings["columns"] == {"text": "review", "label": "stars"}


def test_names_win_over_numbers_so_that_another_order_of_labels_changes_nothing(model_folder):
    ready = pipeline(None, model_folder("sequence-classification", seed=9, num_labels=3, id2label=NLI))
    texts = [{"text": text, "text_pair": "a dog"} for text in TEXTS]
    glue_numbers = ["entailment neutral contradiction".split().index(found["label"]) for found in ready(texts)]
    rows = [{"premise": pair["text"], "hypothesis": "a dog", "label": n} for pair, n in zip(texts, glue_numbers, strict=True)]
    assert measured(ready, rows, glue="mnli").scores["accuracy"] == 1.0
    assert measured(ready, rows).scores["accuracy"] < 1.0  # by number, where nothing says what the numbers mean


class Dataset(list):
    """As the library ``datasets`` has it: rows, and what their numbers mean."""

    @property
    def features(self):
        return {"label": SimpleNamespace(names=["POSITIVE", "NEGATIVE"]), "text": SimpleNamespace(dtype="string")}


def test_names_of_a_data_sets_features_are_used(ready, answers):
    numbers = [["POSITIVE", "NEGATIVE"].index(answer) for answer in answers]
    assert measured(ready, Dataset(rows_of(numbers))).scores["accuracy"] == 1.0


def test_the_f1_of_glue_is_that_of_its_second_label_wherever_the_model_has_it(model_folder):
    ready = pipeline(
        None, model_folder("sequence-classification", seed=9, num_labels=2, id2label={0: "equivalent", 1: "not_equivalent"})
    )
    rows = [{"sentence1": text, "sentence2": "the cat", "label": place % 2} for place, text in enumerate(TEXTS)]
    report = measured(ready, rows, glue="mrpc")
    by_label = {row[0]: row[3] for row in report.details[0].rows}
    assert report.scores["f1"] == by_label["equivalent"] != by_label["not_equivalent"]
    assert report.official == ("accuracy", "f1")


def test_a_model_without_names_is_measured_by_numbers_and_a_note_says_so(model_folder):
    ready = pipeline(None, model_folder("sequence-classification", seed=9, num_labels=2))
    rows = [{"sentence": text, "label": int(found["label"][-1])} for text, found in zip(TEXTS, ready(TEXTS), strict=True)]
    report = measured(ready, rows, glue="sst2")
    assert report.scores["accuracy"] == 1.0
    assert "taken to stand in the data's order: negative, positive" in report.notes[0]


def test_numbers_that_nothing_names_are_taken_in_the_models_order_which_is_said(ready, answers):
    numbers = [["NEGATIVE", "POSITIVE"].index(answer) for answer in answers]
    report = measured(ready, rows_of(numbers))
    assert report.scores["accuracy"] == 1.0
    assert report.notes[0].startswith(
        "The data's labels are numbers, taken in the model's order: 0 is NEGATIVE, 1 is POSITIVE. If"
    )
    for named in ({"labels": {0: "NEGATIVE", 1: "POSITIVE"}}, {"glue": "sst2"}):
        assert measured(ready, rows_of(numbers), **named).notes == ()
    assert measured(ready, rows_of(answers)).notes == ()


@pytest.mark.train
def test_a_model_in_memory_is_measured_with_its_tokenizer(model_folder, tiny_tokenizer):
    model = headway.AutoModelForSequenceClassification.from_pretrained(model_folder("sequence-classification", num_labels=2))
    report = measured(model, rows_of([0] * 7), task="text-classification", tokenizer=tiny_tokenizer)
    assert (report.model, report.rows, report.settings["engine"]) == ("a model in memory", 7, "TorchEngine")


def test_numbers_are_measured_by_correlation(model_folder):
    ready = pipeline(None, model_folder("sequence-classification", seed=9, num_labels=1, problem_type="regression"))
    scores = [found["score"] for found in ready(TEXTS)]
    report = measured(ready, rows_of([2 * score + 1 for score in scores]), resamples=11)
    assert list(report.scores) == ["pearson", "spearman", "mean_squared_error"]
    assert report.scores["pearson"] == pytest.approx(1)
    assert report.scores["spearman"] == pytest.approx(1)
    assert report.scores["mean_squared_error"] == pytest.approx(np.mean([(score + 1) ** 2 for score in scores]), rel=1e-5)
    assert measured(ready, rows_of([-1, *scores[1:]])).rows == 7  # -1 is a number like others here


def test_several_labels_a_text_are_measured_together(model_folder):
    names = {0: "joy", 1: "fear", 2: "love"}
    ready = pipeline(
        None,
        model_folder("sequence-classification", seed=9, num_labels=3, id2label=names, problem_type="multi_label_classification"),
    )
    chosen = [[one["label"] for one in found if one["score"] > 0.5] for found in ready(TEXTS, top_k=None)]
    report = measured(ready, rows_of(chosen))
    assert report.scores["subset_accuracy"] == 1.0
    assert measured(ready, rows_of(["joy,fear", *chosen[1:]])).rows == 7


def test_a_pipeline_is_made_where_only_a_model_is_named(model_folder):
    folder = model_folder("sequence-classification", seed=9, num_labels=2)
    report = measured(folder, rows_of([0] * 7), precision="fp32", max_length=3)
    assert report.model == str(folder)
    assert report.settings["options"]["max_length"] == 3
    assert report.tokens == 3 * 7


def test_options_of_a_call_hold_for_a_pipeline_that_is_there(ready):
    report = measured(ready, rows_of([0] * 7), max_length=3, batch_size=2)
    assert report.tokens == 3 * 7
    assert report.settings["options"]["top_k"] is None
    with pytest.raises(TaskError, match="has no option 'colour'"):
        measured(ready, rows_of([0] * 7), colour="red")


def test_a_set_of_glue_whose_task_depends_on_the_model_is_measured_as_that_was_saved(model_folder):
    rows = [{"sentence1": text, "sentence2": "the cat", "label": place / 2} for place, text in enumerate(TEXTS)]
    as_numbers = measured(model_folder("sequence-classification", num_labels=1), rows, glue="stsb")
    as_vectors = measured(model_folder("base"), rows, glue="stsb", task="sentence-similarity")
    for report in (as_numbers, as_vectors):
        assert {"pearson", "spearman"} == set(report.official) <= set(report.scores)
    assert (as_numbers.task, as_vectors.task) == ("text-classification", "sentence-similarity")


def test_a_task_without_a_measure_lists_those_with_one(model_folder):
    with pytest.raises(TaskError, match=r"no measure of the answers of feature-extraction, .* have one: .*text-classification"):
        measured(model_folder("base"), [{"text": "good"}], task="feature-extraction")


def test_a_report_is_ready_for_json_and_names_the_files_hash(ready, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_of([0] * 7)), encoding="utf-8")
    report = measured(ready, path, worst=3, resamples=5, seed=11, limit=6)
    found = json.loads(json.dumps(report.to_dict()))
    assert found["scores"] == report.scores
    assert found["intervals"]["accuracy"] == list(report.intervals["accuracy"])
    assert found["settings"]["seed"] == 11
    assert (found["rows"], found["data"]) == (6, str(path))
    assert len(found["settings"]["sha256"]) == 64
    assert found["settings"]["labels"] == {"0": "NEGATIVE", "1": "POSITIVE"}


def test_a_report_of_arrays_and_other_things_is_ready_for_json_too():
    odd = Mistake(1, {"vector": np.array([1.5, 2])}, {"label": np.int64(3)}, {1: {"a set"}}, 1.0)
    report = Report(task="t", model="m", data="d", scores={}, intervals={}, rows=1, worst=(odd,))
    (found,) = json.loads(json.dumps(report.to_dict()))["worst"]
    assert (found["item"], found["reference"], found["answer"]) == ({"vector": [1.5, 2]}, {"label": 3}, {"1": "{'a set'}"})


@pytest.mark.parametrize(("name", "value"), [("limit", 0), ("limit", 2.5), ("limit", True), ("worst", -1), ("worst", "3")])
def test_a_number_of_rows_that_is_none_is_refused(ready, name, value):
    with pytest.raises(
        ConfigError, match=rf"{name} is .*, but it counts rows\. Use a whole number from {1 if name == 'limit' else 0}"
    ):
        measured(ready, rows_of([0] * 7), **{name: value})


def test_of_equally_bad_mistakes_the_first_stay_and_stand_first():
    worst, scorer = Worst(2), LabelScorer(("a", "b"))
    for number, score in enumerate((0.7, 0.9, 0.9, 0.9, 0.8), 1):
        answer = [{"label": "b", "score": score}, {"label": "a", "score": 1 - score}]
        worst.offer(LabelledRow(number, "text", {"label": "a"}), answer, scorer)
    assert [mistake.row for mistake in worst.sorted()] == [2, 3]


class Answer(list):
    """An answer that one can watch."""

    __hash__ = object.__hash__


def test_answers_are_let_go_as_soon_as_they_are_measured():
    alive, most = weakref.WeakSet(), 0

    def stream(items, **_):
        nonlocal most
        for place, _item in enumerate(items):
            found = Answer([{"label": "b", "score": 0.5 + place / 10_000}, {"label": "a", "score": 0.4}])
            alive.add(found)
            most = max(most, len(alive))
            yield Answered(found, 1)

    classification = task("text-classification")
    facts = ModelFacts(tokenizer=None, config=family("bert").config(id2label={0: "a", 1: "b"}))
    reader = Reader(classification, classification.evaluation, facts, {"text": "text"}, {"label": "label"}, LabelNames())
    rows = ({"text": "good", "label": "a"} for _ in range(2_003))
    measure = Measure(scorer=LabelScorer(("a", "b")), reader=reader, source=data_of(rows), options={}, chosen={})
    done = run(SimpleNamespace(stream=stream), measure, limit=None, worst=3)
    assert len(done.observations) == 2_003
    assert [mistake.row for mistake in done.worst.sorted()] == [2_003, 2_002, 2_001]
    assert most <= 6  # the worst three, and those that come and go
