"""Measures of rankings against scikit-learn's and sentence-transformers'."""

import numpy as np
import pytest
from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator
from sklearn.metrics import average_precision_score, ndcg_score

from headway.tasks.ranking_metrics import average_precision, ndcg, reciprocal_rank


@pytest.mark.parametrize("seed", range(20))
def test_measures_are_those_of_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    count = int(generator.integers(2, 31))
    scores, relevances = generator.permutation(count) / 7, generator.integers(0, 4, count)
    relevances[0] = 1  # of none relevant scikit-learn only warns
    ranked = relevances[np.argsort(-scores)].tolist()
    for at in (1, 3, 10):
        assert ndcg(ranked, at=at) == pytest.approx(ndcg_score([relevances], [scores], k=at))
    assert average_precision(ranked) == pytest.approx(average_precision_score(relevances > 0, scores))
    evaluator = CrossEncoderRerankingEvaluator([], at_k=10)
    mrr, gain, precision = evaluator.compute_metrics((relevances > 0).astype(int).tolist(), scores)
    binary = [float(relevance > 0) for relevance in ranked]
    assert (reciprocal_rank(binary), ndcg(binary), average_precision(binary)) == pytest.approx((mrr, gain, precision))
