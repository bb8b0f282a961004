"""Measures equal scikit-learn's and scipy's; calibration error is computed bin by bin."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn

from headway.tasks.classification_scorer import LabelScorer, LabelsScorer, NumberScorer
from headway.tasks.correlation import pearson, spearman
from headway.tasks.metrics import calibration_error, confusion_matrix, matthews_correlation


def answer(scores, names):
    """What text classification answers with all labels, best first."""
    order = np.argsort(-scores, kind="stable")
    return [{"label": names[place], "score": float(scores[place])} for place in order]


def names_of(count):
    return tuple(f"label {place}" for place in range(count))


def measured(scorer, answers, references):
    observed = [scorer.observe(one, {"label": label}) for one, label in zip(answers, references, strict=True)]
    return scorer.gather(observed)


@pytest.mark.parametrize(("labels", "seed"), [(2, 0), (5, 1), (7, 2), (23, 3)])
def test_measures_of_one_label_equal_scikit_learns(labels, seed):
    generator = np.random.default_rng(seed)
    scores = np.pad(generator.dirichlet(np.full(labels, 0.4), size=97), ((0, 0), (0, labels > 2)))
    targets, names = generator.integers(0, max(2, labels - 1), 97), names_of(scores.shape[1])  # the last never occurs
    predicted = scores.argmax(-1)
    scorer = LabelScorer(names)
    found = scorer.scores(measured(scorer, [answer(row, names) for row in scores], [names[place] for place in targets]))
    f1 = {
        f"{average}_f1": sklearn.f1_score(targets, predicted, average=average, zero_division=0)
        for average in ("macro", "micro", "weighted")
    }
    binary = {"f1": sklearn.f1_score(targets, predicted)} if labels == 2 else {}
    expected = {"accuracy": sklearn.accuracy_score(targets, predicted), **binary, **f1}
    expected["matthews_correlation"] = sklearn.matthews_corrcoef(targets, predicted)
    assert list(found)[:2] == list(expected)[:2]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12)
    assert found["calibration_error"] == pytest.approx(bin_by_bin(scores.max(-1), predicted == targets, bins=15))
    assert len(found) == len(expected) + 1


def bin_by_bin(confidence, right, *, bins):
    """Guo et al., 2017, equation 3, as it stands there."""
    total = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            total += inside.sum() / len(right) * abs(right[inside].mean() - confidence[inside].mean())
    return total


def test_calibration_error_of_three_texts_by_hand():
    confidence, right = np.array([0.95, 0.94, 0.5]), np.array([True, False, True])
    # two bins of ten: (0.9, 1] with a gap of |0.5 - 0.945|, twice, and (0.4, 0.5] with one of 0.5
    assert calibration_error(confidence, right, bins=10) == pytest.approx((2 * 0.445 + 0.5) / 3)
    assert calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0
    # neighbouring bins, one too sure and one not sure enough, do not make up for each other
    assert calibration_error(np.array([0.95, 0.85]), np.array([True, False]), bins=10) == pytest.approx((0.05 + 0.85) / 2)


@pytest.mark.parametrize("labels", [2, 5])
def test_precision_recall_and_counts_by_label_equal_scikit_learns(labels):
    generator = np.random.default_rng(labels)
    scores, names = generator.dirichlet(np.ones(labels), size=53), names_of(labels)
    targets = generator.integers(0, labels, 53)
    scorer = LabelScorer(names)
    by_label, confusion = scorer.details(measured(scorer, [answer(row, names) for row in scores], list(map(int, targets))))
    expected = sklearn.precision_recall_fscore_support(targets, scores.argmax(-1), zero_division=0)
    for place, row in enumerate(by_label.rows):
        assert row[:5] == (names[place], *(pytest.approx(column[place]) for column in expected))
    matrix = sklearn.confusion_matrix(targets, scores.argmax(-1))
    assert confusion.rows == tuple((name, *map(int, row)) for name, row in zip(names, matrix, strict=True))


@pytest.mark.parametrize(("labels", "seed"), [(2, 0), (7, 1), (28, 2)])
def test_measures_of_several_labels_equal_scikit_learns(labels, seed):
    generator = np.random.default_rng(seed)
    scores, names = generator.random((61, labels)), names_of(labels)
    targets = generator.random((61, labels)) < 0.3
    targets[:, -1] = False  # the last label never is a reference
    scorer, answers = LabelsScorer(names), [answer(row, names) for row in scores]
    listed = [[names[place] for place in np.flatnonzero(row)] for row in targets]
    found = scorer.scores(measured(scorer, answers, listed))
    expected = {
        f"{average}_f1": sklearn.f1_score(targets, scores > 0.5, average=average, zero_division=0)
        for average in ("micro", "macro", "weighted")
    }
    expected["subset_accuracy"] = sklearn.accuracy_score(targets, scores > 0.5)
    assert found == {name: pytest.approx(value, abs=1e-12) for name, value in expected.items()}
    bits = [row.astype(float).tolist() for row in targets]
    assert scorer.scores(measured(scorer, answers, bits)) == found
    (details,) = scorer.details(measured(scorer, answers, listed))
    columns = sklearn.precision_recall_fscore_support(targets, scores > 0.5, zero_division=0)
    for place, row in enumerate(details.rows):
        assert row[:5] == (names[place], *(pytest.approx(column[place]) for column in columns))


def test_correlations_equal_scipys_with_and_without_ties():
    generator = np.random.default_rng(4)
    for one, other in [
        (generator.normal(size=83), generator.normal(size=83)),
        (generator.integers(0, 6, 83), generator.integers(0, 4, 83)),
        (1e150 * generator.normal(size=5), generator.normal(size=5)),
    ]:
        assert pearson(one, other) == pytest.approx(stats.pearsonr(one / np.abs(one).max(), other).statistic, abs=1e-12)
        assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic, abs=1e-12)


def test_measures_of_numbers_equal_scipys():
    generator = np.random.default_rng(5)
    references, given = generator.uniform(0, 5, 47), generator.uniform(0, 1, 47)
    scorer = NumberScorer()
    answers = [[{"label": "LABEL_0", "score": float(value)}] for value in given]
    found = scorer.scores(measured(scorer, answers, references.tolist()))
    assert found == {
        "pearson": pytest.approx(stats.pearsonr(references, given).statistic),
        "spearman": pytest.approx(stats.spearmanr(references, given).statistic),
        "mean_squared_error": pytest.approx(sklearn.mean_squared_error(references, given)),
    }


def test_matthews_correlation_of_a_constant_answer_is_0_as_scikit_learns():
    targets, predicted = np.array([0, 1, 1]), np.array([1, 1, 1])
    counts = confusion_matrix(targets, predicted, labels=2)
    assert matthews_correlation(counts) == sklearn.matthews_corrcoef(targets, predicted) == 0
