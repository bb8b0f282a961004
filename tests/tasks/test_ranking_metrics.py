import numpy as np
import pytest

from headway import evaluate, pipeline
from headway.errors import DataError
from headway.tasks import task
from headway.tasks.ranking_metrics import average_precision, discounted_gain, first_relevant, ndcg, reciprocal_rank

SCORER = task("text-ranking").evaluation.prepare(None, None)
ANSWER = [{"corpus_id": place, "score": 0.5} for place in (2, 0, 1)]


def test_gains_are_divided_by_the_logarithm_of_their_rank():
    assert discounted_gain([3, 0, 2]) == pytest.approx(3 / 1 + 2 / 2)
    assert discounted_gain([3, 0, 2], at=2) == pytest.approx(3)
    assert discounted_gain([]) == 0


def test_the_best_order_has_all_of_the_gain():
    assert ndcg([3, 2, 0]) == pytest.approx(1)
    assert ndcg([0, 1]) == pytest.approx(1 / np.log2(3))
    assert ndcg([0] * 10 + [1]) == 0
    assert ndcg([0, 0]) == ndcg([]) == 0


def test_the_first_relevant_document_decides_the_reciprocal_rank():
    assert reciprocal_rank([0, 0, 1, 1]) == pytest.approx(1 / 3)
    assert reciprocal_rank([0] * 10 + [1]) == reciprocal_rank([0]) == reciprocal_rank([]) == 0
    assert (first_relevant([0, 2]), first_relevant([0]), first_relevant([])) == (2, 0, 0)


def test_precision_is_averaged_over_relevant_documents():
    assert average_precision([1, 0, 1]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([0, 0]) == average_precision([]) == 0


def test_a_ranking_is_measured_by_the_relevance_of_its_documents():
    observed = SCORER.observe(ANSWER, {"relevance": [0, 1, 0]})  # document 1 comes last
    assert observed == pytest.approx((1 / 2, 1 / 3, 1 / 3, 3))
    assert SCORER.wrongness(ANSWER, {"relevance": [0, 1, 0]}) == pytest.approx(1 / 2)
    assert SCORER.wrongness(ANSWER, {"relevance": [1, 0, 2]}) == 0
    assert SCORER.wrongness(ANSWER, {"relevance": [0, 0, 0]}) == 0


def test_measures_are_averages_over_queries():
    table = SCORER.gather([SCORER.observe(ANSWER, {"relevance": cell}) for cell in ([0, 0, 1], [0, 1, 0], [0, 0, 0])])
    assert SCORER.scores(table) == pytest.approx({"ndcg@10": 1.5 / 3, "mrr@10": 4 / 9, "map": 4 / 9})
    assert SCORER.scores(SCORER.gather([])) == {"ndcg@10": 0, "mrr@10": 0, "map": 0}
    (details,) = SCORER.details(table)
    assert details.rows == (("1", 1), ("2 to 3", 1), ("4 to 10", 0), ("beyond 10", 0), ("none is relevant", 1))


def test_a_lone_document_is_ranked_first():
    assert SCORER.observe([{"corpus_id": 0}], {"relevance": ["1"]}) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        pytest.param([1, 0], r"A query has 3 documents but 2 relevances\. Give one number for each, in", id="too few"),
        pytest.param(1, r"relevance of a query's documents is 1, but .* Bring the documents of a query into one row", id="one"),
        pytest.param("1", r"relevance of a query's documents is '1', but an order is measured where", id="text"),
        pytest.param([1, 0, -1], r"The relevance of a document is -1, but it is 0 for one that does not", id="negative"),
        pytest.param([1, 0, None], r"The relevance of a document is None", id="None"),
        pytest.param([1, 0, float("inf")], r"The relevance of a document is inf", id="infinite"),
        pytest.param([1, 0, "much"], r"The relevance of a document is 'much'", id="words"),
    ],
)
def test_a_relevance_that_cannot_be_read_is_said(cell, message):
    with pytest.raises(DataError, match=message):
        SCORER.observe(ANSWER, {"relevance": cell})


def test_rows_are_measured_from_end_to_end(model_folder):
    rank = pipeline("text-ranking", model_folder("sequence-classification", num_labels=1), top_k=1)
    row = {"query": "the dog", "passages": ["a film", "good dog", "boring cat !"]}
    ((best,),) = rank([{"query": row["query"], "documents": row["passages"]}])
    relevant = [int(place == best["corpus_id"]) for place in range(3)]
    report = evaluate(
        rank, [row | {"is_selected": relevant}, row | {"is_selected": [0, 0, 0]}, row | {"is_selected": None}], resamples=0
    )
    assert report.scores == {"ndcg@10": 0.5, "mrr@10": 0.5, "map": 0.5}
    assert (report.rows, report.left_out) == (2, 1)
