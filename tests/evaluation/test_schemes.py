"""Data that writes entities otherwise than the model."""

import numpy as np

from headway import pipeline
from headway.evaluation import evaluate
from headway.evaluation.schemes import NOTE
from tasks.entity_models import save_model

IOB1 = [["I-PER", "O"], ["O", "I-LOC"], ["I-ORG", "I-ORG"]]


def test_files_in_iob1_are_measured_in_the_models_scheme_and_the_report_says_so(tmp_path):
    tagger = pipeline("token-classification", save_model(tmp_path / "model", "bert"))
    rows = [{"tokens": ["the", "dog"], "ner_tags": labels} for labels in IOB1]
    in_bio = [{"tokens": ["the", "dog"], "ner_tags": labels} for labels in (["B-PER", "O"], ["O", "B-LOC"], ["B-ORG", "I-ORG"])]
    written, begun = (evaluate(tagger, data, resamples=0) for data in (rows, in_bio))
    assert written.scores == begun.scores
    assert NOTE in written.notes
    assert NOTE not in begun.notes
    assert np.isfinite(list(written.scores.values())).all()
