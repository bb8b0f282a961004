"""Real data: the models that ship, and the columns and labels of each set of GLUE."""

import json
from pathlib import Path

import pytest

from headway.checkpoints import shipped_models
from headway.evaluation import GLUE, evaluate
from headway.evaluation.glue import find_rows
from headway.evaluation.labelling import LabelNames
from headway.evaluation.rows import Counts, Reader, data_of, find_columns
from headway.families import family
from headway.tasks import ModelFacts, task

pytestmark = pytest.mark.data
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
MEASURED = {
    "sentiment": ("", {"glue": "sst2"}, ("accuracy", "macro_f1")),
    "ner": ("conll2003/validation.txt", {"task": "token-classification"}, ("f1", "precision", "recall")),
    "embeddings": ("", {"glue": "stsb", "task": "sentence-similarity"}, ("spearman", "pearson")),
}
"""What is measured quickly: the file, how, and the columns of the results."""


@pytest.mark.parametrize("name", sorted(MEASURED.keys() & shipped_models().keys()))
def test_a_shipped_model_is_as_good_as_its_card_says(data_folder, name):
    file, how, measures = MEASURED[name]
    report = evaluate(name, data_folder / file, resamples=0, **how)
    result = json.loads((RESULTS / f"shipped_{name}.json").read_text(encoding="utf-8"))
    form, *values = result["rows"][0]
    assert form.startswith("INT8")
    assert [f"{100 * report.scores[measure]:.2f}" for measure in measures] == values
    assert f" {report.rows:,} " in result["title"]


@pytest.mark.parametrize("name", sorted(set(GLUE) - {"mnli_mismatched"}))
def test_columns_and_labels_of_every_set_are_found(data_folder, name):
    labels = GLUE[name].labels
    settings = {"id2label": dict(enumerate(labels))} if labels else {"num_labels": 1, "problem_type": "regression"}
    facts = ModelFacts(tokenizer=None, config=family("bert").config(**settings))
    found = task("text-classification")
    first, data = data_of(find_rows(name, data_folder)).first()
    inputs, references = find_columns(found, found.evaluation, first, {})
    assert references == {"label": "label"}
    assert len(inputs) == (1 if name in ("cola", "sst2") else 2)
    counts = Counts()
    rows = list(Reader(found, found.evaluation, facts, inputs, references, LabelNames()).read(data, counts, limit=None))
    assert len(rows) == counts.rows > 50
