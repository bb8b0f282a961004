"""A pipeline called with what other libraries hold texts in: the real ones, not stand-ins."""

import datasets
import numpy as np
import pandas
import polars
import pyarrow
import pytest
import transformers
from transformers.pipelines.pt_utils import KeyDataset, KeyPairDataset

import headway
from headway.errors import InputError

TEXTS = ["this movie was great fun !", "boring", "we hate it ; really", "", "two cats and a song"]
ROWS = {"id": list(range(5)), "review": TEXTS, "title": TEXTS[::-1]}


@pytest.fixture(scope="module")
def classify(model_folder):
    return headway.pipeline("text-classification", model_folder("sequence-classification", num_labels=3))


@pytest.fixture(scope="module")
def answers(classify):
    return classify(TEXTS)


def near(ours, theirs):
    return [one["label"] for one in ours] == [one["label"] for one in theirs] and [one["score"] for one in ours] == pytest.approx(
        [one["score"] for one in theirs], abs=1e-5
    )


@pytest.fixture(scope="module")
def dataset():
    return datasets.Dataset.from_dict(ROWS)


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(lambda: pandas.Series(TEXTS), id="pandas"),
        pytest.param(lambda: pandas.Series(TEXTS, dtype=object), id="pandas, objects"),
        pytest.param(lambda: pandas.Series(TEXTS, index=list("edcba")), id="pandas, another index"),
        pytest.param(lambda: pandas.DataFrame(ROWS)["review"], id="a pandas column"),
        pytest.param(lambda: pandas.Index(TEXTS), id="a pandas index"),
        pytest.param(lambda: polars.Series(TEXTS), id="polars"),
        pytest.param(lambda: polars.DataFrame(ROWS)["review"], id="a polars column"),
        pytest.param(lambda: pyarrow.array(TEXTS), id="Arrow"),
        pytest.param(lambda: pyarrow.chunked_array([TEXTS[:2], TEXTS[2:]]), id="Arrow in chunks"),
        pytest.param(lambda: pyarrow.table(ROWS)["review"], id="an Arrow column"),
        pytest.param(lambda: np.array(TEXTS), id="NumPy"),
        pytest.param(lambda: np.array(TEXTS, dtype=np.dtypes.StringDType()), id="NumPy, long texts"),
        pytest.param(lambda: datasets.Dataset.from_dict(ROWS)["review"], id="a data set's column"),
        pytest.param(lambda: datasets.Dataset.from_dict(ROWS)[:]["review"], id="a data set's rows"),
    ],
)
def test_columns_are_answered_with_a_list(classify, answers, column):
    found = classify(column())
    assert isinstance(found, list)
    assert near(found, answers)


def test_data_sets_that_give_one_item_at_a_time_are_answered_one_at_a_time(classify, answers, dataset):
    found = classify(KeyDataset(dataset, "review"))
    assert not isinstance(found, list)
    assert near(list(found), answers)
    streamed = classify(dataset.to_iterable_dataset()["review"])
    assert not isinstance(streamed, list)
    assert near(list(streamed), answers)
    pairs = list(classify(KeyPairDataset(dataset, "review", "title")))
    assert near(pairs, classify([{"text": first, "text_pair": second} for first, second in zip(TEXTS, TEXTS[::-1], strict=True)]))


def test_they_are_the_answers_of_transformers(classify, answers, model_folder, dataset):
    theirs = transformers.pipeline(
        "text-classification", str(model_folder("sequence-classification", num_labels=3)), framework="pt", device="cpu"
    )
    assert near(answers, list(theirs(KeyDataset(dataset, "review"))))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        pytest.param(lambda: pandas.DataFrame(ROWS), "DataFrame with the columns id, review, title", id="pandas"),
        pytest.param(lambda: polars.DataFrame(ROWS), "DataFrame with the columns id, review, title", id="polars"),
        pytest.param(lambda: polars.DataFrame(ROWS).lazy(), "LazyFrame of several columns", id="polars, lazy"),
        pytest.param(lambda: pyarrow.table(ROWS), "Table with the columns id, review, title", id="Arrow"),
        pytest.param(lambda: datasets.Dataset.from_dict(ROWS), "Dataset with the columns id, review, title", id="datasets"),
        pytest.param(
            lambda: datasets.Dataset.from_dict(ROWS).to_iterable_dataset(), "IterableDataset with the columns id", id="a stream"
        ),
    ],
)
def test_a_whole_table_is_refused_with_the_column_that_looks_right(classify, table, said):
    column = "text" if "Lazy" in said else "review"
    with pytest.raises(InputError, match=rf"The input is a whole {said}, .*Name it: pipe\(data\['{column}'\]\)"):
        classify(table())


def test_several_splits_are_refused_with_the_way_to_choose_one(classify, dataset):
    with pytest.raises(InputError, match=r"a DatasetDict with the splits train, test, .* pipe\(data\['train'\]\['text'\]\)"):
        classify(datasets.DatasetDict(train=dataset, test=dataset))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (lambda: pandas.Series(["good", None]), "Input 1: An input is (None|float nan), where a text"),
        (lambda: polars.Series(["good", None]), "Input 1: An input is None, where a text"),
        (lambda: pyarrow.array(["good", None]), "Input 1: An input is None, where a text"),
        (lambda: pandas.Series([1, 2]), "Input 0: An input is int"),
    ],
    ids=["pandas", "polars", "Arrow", "numbers"],
)
def test_a_gap_in_a_column_is_refused_with_its_number(classify, column, said):
    with pytest.raises(InputError, match=said):
        classify(column())
