"""Columns of many parts as one table: types that hold all, names that do not clash."""

import pyarrow as pa
import pytest

from headway.bulk.columns import arrow_type, named_apart
from headway.bulk.merging import fitted_batch, merged, written
from headway.tables import batch_of, form_named, records
from headway.tasks import Column


def together(*rows):
    """Each row as a batch of its own, all fitted to the schema of them all."""
    batches = [batch_of([row]) for row in rows]
    schema = merged(batch.schema for batch in batches)
    return schema, [fitted_batch(batch, schema) for batch in batches]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        pytest.param([{"x": 1}, {"x": None}], pa.int64(), id="nothing"),
        pytest.param([{"x": None}, {"x": "a"}], pa.string(), id="nothing first"),
        pytest.param([{"x": 1}, {"x": 2.5}], pa.float64(), id="numbers"),
        pytest.param([{"x": {"a": 1}}, {"x": {"b": "c"}}], pa.struct({"a": pa.int64(), "b": pa.string()}), id="records"),
        pytest.param([{"x": [1]}, {"x": []}], pa.list_(pa.int64()), id="lists"),
        pytest.param([{"x": 1}, {"x": "a"}, {"x": None}], pa.string(), id="text and number"),
        pytest.param([{"x": True}, {"x": 1}, {"x": [1.5]}, {"x": {"y": None}}], pa.string(), id="all sorts"),
        pytest.param([{"x": "odd \ud800"}, {"x": "a"}], pa.string(), id="half a surrogate pair"),
    ],
)
def test_a_column_has_a_type_for_all_values_and_gives_them_back(rows, kind):
    schema, batches = together(*rows)
    assert schema.field("x").type == kind
    found = [record["x"] for batch in batches for record in records(batch)]
    expected = [row["x"] for row in rows]
    if pa.types.is_struct(kind):
        expected = [{"a": 1, "b": None}, {"a": None, "b": "c"}]
    assert found == expected


def test_names_come_in_the_order_in_which_they_are_met_and_gaps_are_nothing():
    schema, batches = together({"b": 1}, {"a": 2, "b": 3}, {})
    assert schema.names == ["b", "a"]
    assert [record for batch in batches for record in records(batch)] == [
        {"b": 1, "a": None},
        {"b": 3, "a": 2},
        {"b": None, "a": None},
    ]


def as_written(form, *rows):
    schema, batches = together(*rows)
    target = written(schema, form_named(form))
    return target, [record for batch in batches for record in fitted_batch(batch, target).to_pylist()]


def test_forms_without_a_type_get_texts():
    rows = ({"x": 1, "deep": {"a": [1, "\u00e9"]}}, {"x": "odd \ud800", "deep": None})
    assert as_written("csv", *rows)[1] == [{"x": "1", "deep": '{"a": [1, "\u00e9"]}'}, {"x": "odd ?", "deep": None}]
    target, found = as_written("parquet", {"x": [1], "empty": {}}, {"x": [2], "empty": {}})
    assert target.field("x").type == pa.list_(pa.int64())
    assert found == [{"x": [1], "empty": "{}"}, {"x": [2], "empty": "{}"}]


def test_names_that_are_taken_get_a_prefix():
    assert named_apart(["label", "score", "error"], ["label", "predicted_label", "x"]) == [
        "predicted_predicted_label",
        "score",
        "error",
    ]


def test_kinds_of_answers_have_types():
    spans = Column("spans", (Column("word", "text"), Column("start", "integer"), Column("sure", "truth")), depth=2)
    inside = pa.struct([("word", pa.string()), ("start", pa.int64()), ("sure", pa.bool_())])
    assert arrow_type(spans) == pa.list_(pa.list_(inside))
    assert arrow_type(Column("score", "number")) == pa.float32()
