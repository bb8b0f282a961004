"""What a pipeline may be called with. Types of other libraries are stood in for here; tests/reference has the real ones."""

import array
from collections import UserDict, UserList, deque

import numpy as np
import pytest

from headway.errors import InputError
from headway.inference.inputs import read_inputs


class ByNumber:
    """A data set as torch has them: a length, and items by number."""

    def __len__(self):
        return 3

    def __getitem__(self, place):
        return f"text {place}"  # never an IndexError


class Frame:
    """A data frame: iterating gives its columns' names."""

    columns = ("id", "review", "stars")

    def __len__(self):
        return 2

    def __iter__(self):
        return iter(self.columns)


class Lazy:
    """A table that would have to be computed to be asked."""

    @property
    def columns(self):
        raise AssertionError("asked for the columns of a lazy table")


class Stream:
    """A data set that is read once; it may not know its columns."""

    column_names = None

    def __iter__(self):
        return iter([{"text": "good"}])


class Splits(dict):
    """Several data sets by name."""

    @property
    def column_names(self):
        return {name: ["text"] for name in self}


class Scalars:
    """An array whose items are no strings."""

    def to_pylist(self):
        return ["a", "b"]


@pytest.mark.parametrize(
    ("inputs", "kind", "items"),
    [
        pytest.param("good", "text", ["good"], id="text"),
        pytest.param(np.str_("good"), "text", ["good"], id="NumPy's text"),
        pytest.param({"text": "a"}, "item", [{"text": "a"}], id="mapping"),
        pytest.param(UserDict({"text": "a"}), "item", [{"text": "a"}], id="another mapping"),
        pytest.param(b"good", "item", [b"good"], id="bytes"),
        pytest.param(None, "item", [None], id="None"),
        pytest.param(np.array("good"), "item", [np.array("good")], id="array without dimensions"),
        pytest.param(["a", "b"], "list", ["a", "b"], id="list"),
        pytest.param(("a", "b"), "list", ["a", "b"], id="tuple"),
        pytest.param(deque("ab"), "list", ["a", "b"], id="deque"),
        pytest.param(UserList("ab"), "list", ["a", "b"], id="another list"),
        pytest.param(np.array(["a", "bc"]), "list", ["a", "bc"], id="array of text"),
        pytest.param(np.array(["a", "bc"], dtype=np.dtypes.StringDType()), "list", ["a", "bc"], id="array of longer text"),
        pytest.param(np.array(["a", None], dtype=object), "list", ["a", None], id="array of objects"),
        pytest.param(array.array("w" if hasattr(array, "w") else "i"), "list", [], id="empty array"),
        pytest.param({"a": 1}.keys(), "list", ["a"], id="keys"),
        pytest.param(Scalars(), "list", ["a", "b"], id="Arrow"),
        pytest.param(iter(["a"]), "stream", ["a"], id="iterator"),
        pytest.param((letter for letter in "ab"), "stream", ["a", "b"], id="generator"),
        pytest.param(ByNumber(), "stream", ["text 0", "text 1", "text 2"], id="items by number"),
    ],
)
def test_the_form_of_the_input_is_known_from_what_it_can_do(inputs, kind, items):
    found, given = read_inputs(inputs)
    assert (found, list(given)) == (kind, items)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(
            Frame(),
            r"The input is a whole Frame with the columns id, review, stars, .* Name it: pipe\(data\['review'\]\)",
            id="frame",
        ),
        pytest.param(Lazy(), r"The input is a whole Lazy of several columns, .* pipe\(data\['text'\]\)", id="lazy frame"),
        pytest.param(Stream(), r"The input is a whole Stream of several columns", id="data set that is read once"),
        pytest.param(
            Splits(train=1, test=2),
            r"a Splits with the splits train, test, .* Choose one, and its column: pipe\(data\['train'\]\['text'\]\)",
            id="splits",
        ),
    ],
)
def test_a_table_is_refused_with_the_way_to_name_a_column(table, message):
    with pytest.raises(InputError, match=message):
        read_inputs(table)
