"""Correlations against SciPy's, which comes with scikit-learn."""

import numpy as np
import pytest
import scipy.stats
import sklearn  # noqa: F401  (says that this file needs the extra for training)

from headway.tasks.correlation import pearson, ranks, spearman


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 7, 601])
@pytest.mark.parametrize("distinct", [3, 10**6])
def test_correlations_are_those_of_scipy(seed, count, distinct):
    """Few distinct values make ties; every second array is of whole numbers, as labels are."""
    generator = np.random.default_rng(seed)
    values = np.append(generator.integers(0, distinct, count - 2) / distinct, [0.0, 1.0])
    references = np.append(generator.integers(0, distinct, count - 2), [2.0, 3.0])
    assert pearson(values, references) == pytest.approx(scipy.stats.pearsonr(values, references).statistic, abs=1e-12)
    assert spearman(values, references) == pytest.approx(scipy.stats.spearmanr(values, references).statistic, abs=1e-12)
    np.testing.assert_array_equal(ranks(values), scipy.stats.rankdata(values))
