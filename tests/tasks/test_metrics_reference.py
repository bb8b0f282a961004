import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from headway.tasks.metrics import classification_metrics


@pytest.mark.parametrize(("labels", "seed"), [(2, 0), (5, 1), (7, 2)])
def test_metrics_equal_those_of_scikit_learn(labels, seed):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(43, labels))
    targets = generator.integers(0, max(2, labels - 1), 43)  # the last label never is a target
    predicted = logits.argmax(-1)
    assert classification_metrics(logits, targets) == {
        "accuracy": pytest.approx(accuracy_score(targets, predicted)),
        "f1": pytest.approx(f1_score(targets, predicted, average="macro", zero_division=0)),
    }
