"""Intervals equal those of scipy's bootstrap, percentile method, from the same random numbers."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from headway.evaluation.bootstrap import intervals
from headway.tasks.classification_scorer import LabelScorer


def test_intervals_equal_scipys():
    generator = np.random.default_rng(0)
    table = np.stack([generator.integers(0, 2, 53), generator.integers(0, 2, 53), generator.random(53)], axis=1)
    found = intervals(table, LabelScorer(("a", "b")).scores, confidence=0.9, resamples=99, seed=7)
    measures = {
        "accuracy": lambda targets, answers: (targets == answers).mean(),
        "f1": lambda targets, answers: f1_score(targets, answers, zero_division=0),
    }
    for name, measure in measures.items():
        theirs = stats.bootstrap(
            (table[:, 0], table[:, 1]),
            measure,
            paired=True,
            vectorized=False,
            confidence_level=0.9,
            n_resamples=99,
            method="percentile",
            rng=np.random.default_rng(7),
        ).confidence_interval
        assert found[name] == (pytest.approx(theirs.low), pytest.approx(theirs.high))
