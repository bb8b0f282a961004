import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import TaskError
from headway.tasks.quantised_vectors import quantised, read_ranges

VECTOR = np.array([0.5, -0.25, 0.0, 2.0, -1.0, 0.9, 0.1, -0.1, 3.0], np.float32)  # nine: a byte and a bit
RANGES = np.stack([np.full(9, -1, np.float32), np.full(9, 1, np.float32)])


def test_bits_say_what_is_above_zero_eight_to_a_number():
    bits = [0b10010110, 0b10000000]
    assert quantised(VECTOR, "ubinary").tolist() == bits
    assert quantised(VECTOR, "binary").tolist() == [bits[0] - 128, bits[1] - 128]
    assert quantised(VECTOR, "float32") is VECTOR


def test_256_levels_lie_between_the_ranges():
    """One step is 2 / 255; what lies outside gets the nearest level."""
    expected = [191, 95, 127, 255, 0, 242, 140, 114, 255]
    assert quantised(VECTOR, "uint8", ranges=RANGES).tolist() == expected
    assert quantised(VECTOR, "int8", ranges=RANGES).tolist() == [level - 128 for level in expected]


def test_a_dimension_that_never_changes_divides_by_nothing():
    ranges = np.zeros((2, 9), np.float32)
    assert quantised(VECTOR, "uint8", ranges=ranges).tolist() == [0, 0, 0, 2, 0, 0, 0, 0, 3]


def test_ranges_of_other_vectors_are_refused():
    with pytest.raises(
        TaskError, match=r"ranges are for vectors of 4 values, but this model's have 9\. Take them from vectors made"
    ):
        quantised(VECTOR, "int8", ranges=RANGES[:, :4])


@pytest.mark.parametrize("numbers", ["float32", "binary", "ubinary"])
def test_other_numbers_need_no_ranges(numbers):
    assert read_ranges(None, numbers) is None


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=19))
def test_every_vector_fits_its_numbers(values):
    vector = np.array(values, np.float32)
    ranges = read_ranges([[-1.0] * len(values), [1.0] * len(values)], "int8")
    for numbers, kind in (("int8", np.int8), ("uint8", np.uint8), ("binary", np.int8), ("ubinary", np.uint8)):
        assert quantised(vector, numbers, ranges=ranges).dtype == kind
