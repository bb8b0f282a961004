"""Intervals of tables so small that one can count their resamples."""

import numpy as np
import pytest

from headway.errors import ConfigError
from headway.evaluation.bootstrap import intervals


def average(table_NK):
    return {"average": float(table_NK.mean())}


def test_the_resamples_of_two_rows_are_counted_by_hand():
    """Of 0 and 1, a quarter of the resamples averages 0, half of them 0.5, a quarter 1."""
    table = np.array([[0.0], [1.0]])
    assert intervals(table, average, confidence=0.95, resamples=400) == {"average": (0.0, 1.0)}
    assert intervals(table, average, confidence=0.3, resamples=400) == {"average": (0.5, 0.5)}


def test_a_resample_has_as_many_rows_and_takes_whole_ones():
    table = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    seen = []

    def remember(table_NK):
        seen.append(table_NK)
        return {}

    intervals(table, remember, resamples=7)
    assert len(seen) == 7
    assert all(found.shape == (3, 2) and (found[:, 1] == 10 * found[:, 0]).all() for found in seen)


def test_equal_seeds_draw_the_same_and_others_do_not():
    table = np.random.default_rng(3).normal(size=(31, 1))
    first, again, other = (intervals(table, average, resamples=50, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_an_interval_narrows_with_less_confidence_and_holds_a_single_rows_value():
    table = np.random.default_rng(4).normal(size=(31, 1))
    wide, narrow = (intervals(table, average, confidence=share, resamples=300)["average"] for share in (0.99, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert intervals(np.array([[0.25]]), average) == {"average": (0.25, 0.25)}


def test_a_measure_that_some_resamples_lack_has_the_interval_of_the_others():
    table = np.array([[0.0], [1.0]])
    both = intervals(table, lambda rows: {"n": 1.0} | ({"some": 3.0} if rows.any() else {}), resamples=40)
    assert both == {"n": (1.0, 1.0), "some": (3.0, 3.0)}


def test_no_resamples_give_no_intervals():
    assert intervals(np.zeros((3, 1)), average, resamples=0) == {}


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5])
def test_a_confidence_that_is_no_share_is_refused(confidence):
    with pytest.raises(ConfigError, match=r"confidence is .* a number between 0 and 1, such as 0\.95"):
        intervals(np.zeros((3, 1)), average, confidence=confidence)


def test_fewer_resamples_than_none_are_refused():
    with pytest.raises(ConfigError, match="resamples is -1, but it counts resamples"):
        intervals(np.zeros((3, 1)), average, resamples=-1)
