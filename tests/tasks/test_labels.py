import math

import pytest

from headway.errors import DataError
from headway.tasks.labels import label_index, label_names


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([1, 0, 1], ("0", "1"), id="integers"),
        pytest.param([10, 9, 2], ("2", "9", "10"), id="numbers sort as numbers"),
        pytest.param(["10", "9", "2"], ("2", "9", "10"), id="and so they do as text"),
        pytest.param(["neg", "pos", "neg"], ("neg", "pos"), id="words"),
        pytest.param([1.0, 0.0, math.nan], ("0", "1"), id="integers of a table with gaps"),
        pytest.param([-1, 0, 1], ("-1", "0", "1"), id="minus one among others is a label"),
        pytest.param([True, False], ("False", "True"), id="truth values"),
        pytest.param([" pos ", "pos", ""], ("pos",), id="spaces around do not count"),
    ],
)
def test_names_are_the_distinct_labels_in_order(values, expected):
    assert label_names(values) == expected


@pytest.mark.parametrize("values", [[], [None, None], [-1, -1], ["", None], [math.nan]])
def test_a_column_without_labels_is_refused(values):
    with pytest.raises(DataError, match="no labels to learn from: every value in the label column is empty or -1"):
        label_names(values)


@pytest.mark.parametrize(
    ("value", "labels", "expected"),
    [
        pytest.param("POSITIVE", ("NEGATIVE", "POSITIVE"), 1, id="by name"),
        pytest.param(1, ("NEGATIVE", "POSITIVE"), 1, id="by index"),
        pytest.param("1", ("NEGATIVE", "POSITIVE"), 1, id="by an index read from text"),
        pytest.param(1, ("1", "2", "3"), 0, id="a name comes before an index"),
        pytest.param(2.0, ("0", "1", "2"), 2, id="whole floats are integers"),
    ],
)
def test_a_label_has_its_place(value, labels, expected):
    assert label_index(value, labels) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("neutral", r"The label 'neutral' is not one of NEGATIVE, POSITIVE", id="unknown"),
        pytest.param(2, r"The label 2 is not one of", id="too large"),
        pytest.param(-1, r"The label -1", id="withheld"),
        pytest.param(None, r"There is no label", id="missing"),
        pytest.param(3.8, r"The label 3.8 is a fraction", id="a score"),
        pytest.param([0, 1], r"The label \[0, 1\] is a list", id="several"),
    ],
)
def test_a_label_that_is_none_says_what_it_is(value, message):
    with pytest.raises(DataError, match=message):
        label_index(value, ("NEGATIVE", "POSITIVE"))
