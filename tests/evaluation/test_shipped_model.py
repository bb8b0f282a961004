"""Real data: the model that ships, and the columns and labels of each set of GLUE."""

import json
from pathlib import Path

import pytest

from headway.evaluation import GLUE, evaluate
from headway.evaluation.glue import find_rows
from headway.evaluation.labelling import LabelNames
from headway.evaluation.rows import Counts, Reader, data_of, find_columns
from headway.families import family
from headway.tasks import ModelFacts, task

pytestmark = pytest.mark.data
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "shipped_sentiment.json"


def test_the_shipped_model_is_as_good_on_sst2_as_its_card_says(data_folder):
    report = evaluate(None, data_folder, glue="sst2", resamples=100)
    form, accuracy, f1 = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"][0]
    assert form.startswith("INT8")
    assert f"{100 * report.scores['accuracy']:.2f}" == accuracy
    assert f"{100 * report.scores['macro_f1']:.2f}" == f1
    assert report.rows == 872


@pytest.mark.parametrize("name", sorted(set(GLUE) - {"mnli_mismatched"}))
def test_columns_and_labels_of_every_set_are_found(data_folder, name):
    labels = GLUE[name].labels
    settings = {"id2label": dict(enumerate(labels))} if labels else {"num_labels": 1, "problem_type": "regression"}
    facts = ModelFacts(tokenizer=None, config=family("bert").config(**settings))
    found = task("text-classification")
    names, data = data_of(find_rows(name, data_folder)).columns()
    inputs, references = find_columns(found, found.evaluation, names, {})
    assert references == {"label": "label"}
    assert len(inputs) == (1 if name in ("cola", "sst2") else 2)
    counts = Counts()
    rows = list(Reader(found, found.evaluation, facts, inputs, references, LabelNames()).read(data, counts, limit=None))
    assert len(rows) == counts.rows > 50
