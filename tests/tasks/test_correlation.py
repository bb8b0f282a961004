import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.tasks.correlation import pearson, ranks, spearman

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), min_size=1, max_size=19)


def test_a_straight_line_correlates_wholly_and_its_mirror_image_the_other_way():
    values = np.array([1.0, 2.0, 4.0, 7.0])
    assert pearson(values, 3 * values - 5) == pytest.approx(1)
    assert pearson(values, -values) == pytest.approx(-1)


def test_pearson_by_hand():
    # around their averages: (-1, 0, 1) and (-2, 1, 1); 3 / sqrt(2 * 6)
    assert pearson(np.array([1, 2, 3]), np.array([0, 3, 3])) == pytest.approx(3 / 12**0.5)


def test_spearman_asks_for_order_alone():
    values = np.array([0.1, 0.2, 0.7, 0.4])
    assert spearman(values, np.exp(9 * values)) == pytest.approx(1)
    assert pearson(values, np.exp(9 * values)) < 0.99


def test_equal_values_share_their_places():
    np.testing.assert_array_equal(ranks(np.array([7.0, 3.0, 7.0, 1.0, 7.0])), [4, 2, 4, 1, 4])


@pytest.mark.parametrize("measure", [pearson, spearman])
@pytest.mark.parametrize(("values", "references"), [([], []), ([2.0], [3.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])], ids=str)
def test_what_never_changes_correlates_with_nothing(measure, values, references):
    assert measure(np.array(values), np.array(references)) == 0
    assert measure(np.array(references), np.array(values)) == 0


@given(NUMBERS, NUMBERS)
def test_correlations_stay_between_minus_one_and_one(values, references):
    count = min(len(values), len(references))
    for measure in (pearson, spearman):
        found = measure(np.array(values[:count]), np.array(references[:count]))
        assert -1 <= found <= 1
