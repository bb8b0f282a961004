"""Every task whose answers can be measured is, from rows with usual column names, by whatever it reads."""

import json
import math

import pytest

from headway.evaluation import evaluate
from headway.tasks import task, task_names

WORDS = ("the movie was great fun", "boring", "we hate it ; really , it is not very good", "a dog and two cats")
ROWS = {
    "multiple-choice": {"prompt": WORDS, "choices": (list(WORDS[:2]), list(WORDS)), "label": (0, 2)},
    "next-sentence-prediction": {"text": WORDS, "next_sentence": WORDS[::-1], "label": (0, 1, 1, 0)},
    "question-answering": {"question": WORDS, "context": WORDS[::-1], "answers": (["cats"], [], {"text": ["boring"]})},
    "sentence-similarity": {"sentence1": WORDS, "sentence2": WORDS[::-1], "score": (5, 2.5, 0)},
    "text-classification": {"text": WORDS, "label": (0, "LABEL_2", 1)},
    "text-ranking": {"query": WORDS, "documents": (list(WORDS[:2]), list(WORDS)), "labels": ([0, 1], [0, 2, 0, 1])},
    "token-classification": {
        "tokens": (["the", "movie"], ["dog"], ["we", "hate", "it"]),
        "ner_tags": (["O", "B-X"], ["O"], ["B-X", "I-X", 0]),
    },
    "zero-shot-classification": {"text": WORDS, "label": ("movie", "Dog", 0)},
}
SETTINGS = {
    "next-sentence-prediction": {"num_labels": 2},
    "question-answering": {"num_labels": 2},
    "text-ranking": {"num_labels": 1},
    "token-classification": {"id2label": {0: "O", 1: "B-X", 2: "I-X"}},
    "zero-shot-classification": {"id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}},
}
OPTIONS = {"zero-shot-classification": {"candidate_labels": ["movie", "dog"]}}
MEASURED = [name for name in task_names() if task(name).evaluation]


@pytest.mark.parametrize("name", MEASURED)
def test_its_rows_are_measured_with_intervals_and_ready_for_json(model_folder, name):
    columns = ROWS[name]
    rows = [{column: values[place % len(values)] for column, values in columns.items()} for place in range(13)]
    folder = model_folder(task(name).head, **{"num_labels": 3, **SETTINGS.get(name, {})})
    report = evaluate(folder, rows, task=name, resamples=7, worst=2, **OPTIONS.get(name, {}))
    assert report.rows == 13
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["scores"] == report.scores
    assert set(report.intervals) == set(report.scores)
    assert all(low <= high and math.isfinite(report.scores[name]) for name, (low, high) in report.intervals.items())
    assert all(len(row) == len(table.header) for table in report.details for row in table.rows)
    assert [one.wrongness for one in report.worst] == sorted((one.wrongness for one in report.worst), reverse=True)
