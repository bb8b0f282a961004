import numpy as np
import pytest

from headway.errors import DataError
from headway.tasks.correlation import pearson
from headway.tasks.correlation_scorer import CorrelationScorer

PAIRS = [(0.9, 5.0), (0.1, 0.0), (0.5, 4.0), (0.7, 2.5)]


def table(pairs=PAIRS):
    scorer = CorrelationScorer()
    return scorer.gather([scorer.observe(answer, {"label": label}) for answer, label in pairs])


def test_both_correlations_are_measured():
    scores = CorrelationScorer().scores(table())
    assert list(scores) == ["spearman", "pearson"]
    assert scores["spearman"] == pytest.approx(0.8)  # ranks 4 1 2 3 against 4 1 3 2: 1 - 6 * 2 / (4 * 15)
    assert scores["pearson"] == pearson(*np.array(PAIRS).T)


def test_nothing_is_measured_as_nothing():
    assert CorrelationScorer().scores(table([])) == {"spearman": 0, "pearson": 0}
    assert CorrelationScorer().details(table([])) == []


def test_references_may_be_written_as_text_but_have_to_be_numbers():
    assert CorrelationScorer().observe(0.5, {"label": "4.5"}) == (4.5, 0.5)
    with pytest.raises(DataError, match="The reference is 'high', but this model gives numbers"):
        CorrelationScorer().observe(0.5, {"label": "high"})


def test_wrongness_is_the_difference_on_one_scale():
    assert CorrelationScorer().wrongness(1.0, {"label": 5}) == 0
    assert CorrelationScorer().wrongness(0.25, {"label": 5}) == 0.75
    assert CorrelationScorer(largest=1).wrongness(0.25, {"label": 1}) == 0.75


def test_answers_are_shown_by_the_size_of_their_references():
    (details,) = CorrelationScorer().details(table())
    assert details.header == ("references", "inputs", "mean", "deviation", "least", "most")
    assert [row[:3] for row in details.rows] == [
        ("0 to 1", 1, 0.1),
        ("2 to 3", 1, 0.7),
        ("4 to 5", 2, pytest.approx(0.7)),
    ]


def test_equal_references_are_one_row():
    (details,) = CorrelationScorer().details(table([(0.5, 3.0), (0.7, 3.0)]))
    assert [row[1] for row in details.rows] == [2]
