"""Labelled rows from files and from memory, and what a data set's labels mean to a model."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import DataError
from headway.evaluation.labelling import LabelNames, label_names
from headway.evaluation.rows import Counts, Reader, data_of, find_columns
from headway.families import family
from headway.tasks import ModelFacts, task

TASK = task("text-classification")
FACTS = ModelFacts(tokenizer=None, config=family("bert").config(id2label={0: "NEGATIVE", 1: "POSITIVE"}))
ROWS = [{"text": "good", "label": 1}, {"text": "hm", "label": -1}, {"text": "bad", "label": "negative"}]


def reader(**columns):
    inputs, references = find_columns(TASK, TASK.evaluation, columns or ROWS[0], {})
    return Reader(TASK, TASK.evaluation, FACTS, inputs, references, LabelNames())


def read(source, limit=None):
    counts = Counts()
    return list(reader().read(data_of(source), counts, limit=limit)), counts


class Frame:
    """As data frames of pandas are."""

    def itertuples(self):
        raise AssertionError

    def to_dict(self, how):
        return ROWS if how == "records" else None


class Polars:
    """As data frames of Polars are."""

    def iter_rows(self, *, named):
        return iter(ROWS) if named else None


@pytest.mark.parametrize("source", [ROWS, tuple(ROWS), iter(ROWS), Frame(), Polars()], ids=lambda source: type(source).__name__)
def test_rows_with_a_reference_are_read_and_the_others_counted(source):
    rows, counts = read(source)
    assert [(row.number, row.item, row.reference) for row in rows] == [
        (1, "good", {"label": 1}),
        (3, "bad", {"label": "negative"}),
    ]
    assert (counts.rows, counts.left_out, list(counts.labels)) == (3, 1, ["1", "-1", "negative"])


def test_a_file_is_read_as_often_as_one_likes(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\ngood,1\nbad,0\n", encoding="utf-8")
    data = data_of(path)
    assert (data.name, data.once, data.is_file) == (str(path), False, True)
    assert list(data.rows()) == list(data.rows()) == [{"text": "good", "label": "1"}, {"text": "bad", "label": "0"}]


def test_a_generator_gives_its_first_row_again_after_it_was_looked_at():
    first, data = data_of(row for row in ROWS).first()
    assert first == ROWS[0]
    assert list(data.rows()) == ROWS


def test_a_limit_counts_the_rows_that_are_measured():
    assert [row.number for row in read(ROWS, limit=2)[0]] == [1, 3]
    assert [row.number for row in read(ROWS, limit=1)[0]] == [1]


def test_a_file_that_is_not_there_says_so():
    with pytest.raises(DataError, match=r"There is no file nowhere\.csv, so there is nothing to measure on"):
        data_of("nowhere.csv")


@pytest.mark.parametrize("source", [None, 3, {"text": ["good"]}, b"good"])
def test_what_holds_no_rows_says_what_is_needed(source):
    with pytest.raises(
        DataError, match=rf"The data is a {type(source).__name__}, but rows are needed: a file's path, or mappings"
    ):
        data_of(source)


def test_rows_that_are_none_or_nothing_say_so():
    with pytest.raises(DataError, match="rows in memory has no rows, so there is nothing to measure"):
        data_of([]).first()
    with pytest.raises(DataError, match="The first row of rows in memory is a tuple, but a row maps columns to cells"):
        data_of([("good", 1)]).first()


def test_a_row_without_a_text_says_which_and_where():
    with pytest.raises(DataError, match="Row 2 of rows in memory holds nothing in column 'text', which the model reads"):
        read([ROWS[0], {"text": None, "label": 1}])


def test_a_label_that_is_none_of_the_models_is_said_with_the_rows_number_and_all_labels_of_the_data():
    rows = [*ROWS, {"text": "so", "label": "mixed"}, {"text": "so", "label": "later"}]
    with pytest.raises(
        DataError,
        match=r"Row 4: The label 'mixed' is none of the model's: NEGATIVE, POSITIVE\. .*"
        r"--labels mixed=NEGATIVE .* The data's labels are -1, 1, later, mixed, negative\.",
    ):
        read(rows)


def test_columns_are_found_by_role_or_by_usual_name():
    names = ["id", "review", "stars"]
    found = find_columns(TASK, TASK.evaluation, names, {"text": "review", "label": "stars"})
    assert found == ({"text": "review"}, {"label": "stars"})
    pairs = find_columns(TASK, TASK.evaluation, ["question1", "question2", "label", "idx"], {})
    assert pairs == ({"text": "question1", "text_pair": "question2"}, {"label": "label"})


def test_a_role_that_there_is_not_lists_those_that_there_are():
    with pytest.raises(DataError, match=r"'stars' is nothing that text-classification reads or .* for label, text, text_pair\."):
        find_columns(TASK, TASK.evaluation, ["text", "label"], {"stars": "label"})


@pytest.mark.parametrize(
    ("given", "names", "value", "read_as"),
    [
        pytest.param({}, (), 1, 1, id="as it is"),
        pytest.param({}, ("negative", "positive"), 1, "positive", id="by the data's name"),
        pytest.param({}, ("negative", "positive"), "1", "positive", id="a number as text"),
        pytest.param({}, ("negative", "positive"), 1.0, "positive", id="a number from a table with gaps"),
        pytest.param({}, ("negative", "positive"), np.int64(0), "negative", id="NumPy's number"),
        pytest.param({}, ("negative", "positive"), -1, -1, id="withheld"),
        pytest.param({"1": "good"}, ("negative", "positive"), 1, "good", id="by the caller, by number"),
        pytest.param({"positive": "good"}, ("negative", "positive"), 1, "good", id="by the caller, by name"),
        pytest.param({"pos": "POSITIVE"}, (), "pos", "POSITIVE", id="by the caller, a text"),
        pytest.param({"a": "x"}, (), ["a", "b"], ["x", "b"], id="each of a list"),
        pytest.param({}, ("no", "yes"), np.array([1, 0]), ["yes", "no"], id="each of an array"),
        pytest.param({}, ("negative",), 2.5, 2.5, id="a fraction"),
        pytest.param({}, ("negative",), None, None, id="nothing"),
        pytest.param({}, ("negative",), {"text": ["a"]}, {"text": ["a"]}, id="a record"),
    ],
)
def test_what_a_reference_is_called(given, names, value, read_as):
    assert LabelNames(given, names)(value) == read_as


CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
PROBLEMS = ["single_label_classification", "multi_label_classification", "regression"]


@given(
    rows=st.lists(st.fixed_dictionaries({"text": CELLS, "label": CELLS}), max_size=4),
    given_labels=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    names=st.lists(st.text(max_size=3), max_size=3),
    problem=st.sampled_from(PROBLEMS),
)
def test_whatever_stands_in_the_cells_rows_are_read_or_refused_in_words(rows, given_labels, names, problem):
    facts = ModelFacts(tokenizer=None, config=family("bert").config(id2label={0: "a", 1: "b"}, problem_type=problem))
    reading = Reader(TASK, TASK.evaluation, facts, {"text": "text"}, {"label": "label"}, LabelNames(given_labels, tuple(names)))
    counts, found = Counts(), []
    with suppress(DataError):
        found += list(reading.read(data_of(rows), counts, limit=None))
        assert len(found) + counts.left_out == len(rows)


def test_a_models_labels_without_names_are_taken_in_the_datas_order_which_is_said():
    nli = ("entailment", "neutral", "contradiction")
    read, notes = label_names({}, nli, ("LABEL_0", "LABEL_1", "LABEL_2"))
    assert read(2) == 2
    assert "taken to stand in the data's order: entailment, neutral, contradiction. If they do not" in notes[0]
    read, notes = label_names({}, nli, ("contradiction", "entailment", "neutral"))
    assert (read(2), notes) == ("contradiction", ())
    read, notes = label_names({"2": "LABEL_0"}, nli, ("LABEL_0", "LABEL_1", "LABEL_2"))
    assert (read(2), notes) == ("LABEL_0", ())
