"""Rows of relative positions, against numbers worked out by hand; tests/reference compares them with transformers."""

import numpy as np
import pytest

from headway.architecture import BucketBias, Disentangled
from headway.architecture.relative import table_rows


def disentangled(span, max_distance):
    return Disentangled(
        span=span,
        max_distance=max_distance,
        terms=("content-to-position",),
        shared=True,
        key_bias=True,
        norm=None,
        dropout=0.0,
    )


def test_without_buckets_each_distance_has_its_row_up_to_the_ends_of_the_table():
    found = table_rows(disentangled(3, None), np.arange(-5, 6))
    assert found.tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 5, 5, 5]


def test_far_distances_share_rows_and_reach_the_ends_at_the_largest_distance():
    """A span of 8 counts up to 4 one by one; 3 more rows for the distances up to 31: borders at 4 * (31 / 4) ** (1/3, 2/3)."""
    table = disentangled(8, 32)
    assert table_rows(table, np.array([0, 1, 4, 5, 7, 8, 15, 16, 31])).tolist() == [8, 9, 12, 13, 13, 14, 14, 15, 15]
    assert table_rows(table, np.array([-1, -4, -5, -8, -16, -31, -32])).tolist() == [7, 4, 3, 2, 1, 1, 0]


@pytest.mark.parametrize(("distance", "row"), [(0, 0), (1, 1), (7, 7), (8, 8), (15, 9), (127, 15), (1000, 15)])
def test_a_bias_has_its_own_rows_for_keys_after_the_query(distance, row):
    """T5's 32 buckets up to 128: 16 for each direction, of which 8 count one by one; from 8 on a row grows by 2 ** 0.5."""
    table = BucketBias(buckets=32, max_distance=128)
    assert int(table_rows(table, np.array(distance))) == row
    assert int(table_rows(table, np.array(-distance))) == (row + 16 if distance else 0)
