"""Models that tell neutral from contradiction, on data that knows entailment and its opposite alone."""

import numpy as np
import pytest

from headway import pipeline
from headway.evaluation import evaluate
from headway.evaluation.merging import Joined, is_inference, told_apart
from headway.evaluation.rows import data_of
from headway.tasks.classification_scorer import scores_by_label

NLI = ("contradiction", "entailment", "neutral")
TEXTS = ["this movie was great fun !", "boring", "we hate it", "the dog", "not very good", "a story", "awful ; but fun"]
PAIRS = [{"text": text, "text_pair": "a dog"} for text in TEXTS]


@pytest.fixture(scope="module")
def ready(model_folder):
    return pipeline(None, model_folder("sequence-classification", seed=9, num_labels=3, id2label=dict(enumerate(NLI))))


@pytest.fixture(scope="module")
def entailed(ready):
    """Of each text how likely it is that it entails the other."""
    return [next(one["score"] for one in found if one["label"] == "entailment") for found in ready(PAIRS, top_k=None)]


def rows_of(labels):
    return [{"sentence1": text, "sentence2": "a dog", "label": label} for text, label in zip(TEXTS, labels, strict=True)]


@pytest.mark.parametrize(("name", "numbers"), [("rte", (0, 1)), ("wnli", (1, 0))])
def test_neutral_and_contradiction_are_not_entailment_on_a_set_of_glue_and_the_report_says_so(ready, entailed, name, numbers):
    right = [numbers[score <= 0.5] for score in entailed]
    report = evaluate(ready, rows_of(right), glue=name, resamples=0)
    assert report.scores["accuracy"] == 1.0
    assert list(report.scores)[:2] == ["accuracy", "f1"]
    confidence = [max(score, 1 - score) for score in entailed]
    assert report.scores["calibration_error"] == pytest.approx(expected_error(confidence), abs=1e-6)
    assert report.notes == (
        "The data does not tell neutral from contradiction, as the model does: both are not_entailment here, whose score is the "
        "sum of theirs.",
    )
    wrong = evaluate(ready, rows_of([1 - number for number in right]), glue=name, resamples=0, worst=1)
    assert wrong.scores["accuracy"] == 0.0
    assert wrong.worst[0].wrongness == pytest.approx(1 + max(2 * top - 1 for top in confidence), abs=1e-6)


def expected_error(confidence, bins=15):
    """The calibration error of answers that are all right."""
    found = {}
    for score in confidence:
        found.setdefault(int(np.ceil(score * bins)), []).append(1 - score)
    return sum(abs(sum(gaps)) for gaps in found.values()) / len(confidence)


def test_labels_of_a_file_tell_whether_it_knows_neutral(ready, entailed, tmp_path):
    words = ["entailment" if score > 0.5 else "not-entailment" for score in entailed]
    path = tmp_path / "rows.csv"
    lines = [f'"{text}",a dog,{word}\n' for text, word in zip(TEXTS, words, strict=True)]
    path.write_text("".join(["premise,hypothesis,label\n", *lines]))
    for data in (path, rows_of(words), iter(rows_of(sorted(words, reverse=True)))):
        report = evaluate(ready, data, resamples=0)
        assert {row[0] for row in report.details[0].rows} <= {"entailment", "not-entailment"}
    assert evaluate(ready, path, resamples=0).scores["accuracy"] == 1.0
    three = [found["label"] for found in ready(PAIRS)]
    report = evaluate(ready, rows_of(three), resamples=0)
    assert (report.scores["accuracy"], report.notes) == (1.0, ())


def test_labels_that_the_caller_names_join_too(ready, entailed):
    numbers = [int(score > 0.5) for score in entailed]
    report = evaluate(ready, rows_of(numbers), labels={0: "not_entailment", 1: "entailment"}, resamples=0)
    assert report.scores["accuracy"] == 1.0
    assert [note for note in report.notes if "No row has" not in note] == [report.notes[0]]


def test_logits_are_joined_as_softmax_would(ready, entailed):
    rows = rows_of(["entailment" if score > 0.5 else "not_entailment" for score in entailed])
    assert evaluate(ready, rows, resamples=0, function_to_apply="none").scores["accuracy"] == 1.0
    joined = Joined(scores_by_label, ("e", "o"), ("n", "c"), are_probabilities=False)
    answer = [{"label": label, "score": score} for label, score in (("e", 2.0), ("n", 1.0), ("c", 1.5))]
    assert joined(answer) == pytest.approx({"e": 2.0, "o": np.log(np.exp(1.0) + np.exp(1.5))})


@pytest.mark.parametrize(
    ("labels", "is_one"),
    [
        (NLI, True),
        (("ENTAILMENT", "Neutral", "CONTRADICTION"), True),
        (("entailment", "not_entailment"), False),
        (("entailment", "neutral", "neutral_too"), False),
        (("LABEL_0", "LABEL_1", "LABEL_2"), False),
    ],
)
def test_models_of_inference_are_told_by_their_labels(labels, is_one):
    assert is_inference(labels) is is_one


def test_what_tells_is_the_first_label_that_is_not_entailment():
    rows = [{"label": label} for label in (None, "entailment", 3, "Not Entailment", "neutral")]
    assert told_apart(data_of(rows), "label") == ("Not Entailment",)
    assert told_apart(data_of(iter(rows)), "label") == ()  # a stream is read once, and its first row says nothing
    assert told_apart(data_of(rows[:3]), "label") == ()
