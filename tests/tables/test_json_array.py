"""One JSON array of objects as rows."""

import gzip
import json

import pytest

from headway.errors import DataError
from headway.tables import Source, read_blocks, read_rows, records

ROWS = [{"text": "Zürich", "n": 7}, {"text": None, "n": 11}, {"text": "c", "n": 13}]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_objects_of_an_array_are_the_rows(tmp_path, indent, mark):
    path = tmp_path / "rows.json"
    path.write_text(mark + json.dumps(ROWS, indent=indent), encoding="utf-8")
    assert list(read_rows(path)) == ROWS


def test_an_array_may_be_compressed_empty_and_read_from_any_row_on(tmp_path, monkeypatch):
    monkeypatch.setattr("headway.tables.json_array.ROWS_AT_ONCE", 2)
    path = tmp_path / "rows.json.gz"
    path.write_bytes(gzip.compress(json.dumps(ROWS).encode()))
    blocks = list(read_blocks(Source(str(path)), skip=1))
    assert [row for block in blocks for row in records(block.batch)] == ROWS[1:]
    assert blocks[-1].fraction == 1
    (tmp_path / "none.json").write_text(" [\n]")
    assert list(read_rows(tmp_path / "none.json")) == []


def test_what_is_no_object_is_a_row_with_a_fault(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('[{"text": "a"}, null, "b"]')
    (block,) = read_blocks(Source(str(path)))
    assert records(block.batch) == [{"text": "a"}, {"text": None}, {"text": None}]
    assert block.faults == {
        1: f"Entry 2 of {path} is null, but each must be one object of columns.",
        2: f'Entry 3 of {path} is "b", but each must be one object of columns.',
    }


def test_an_array_that_is_not_whole_is_refused(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('[{"text": "a"},')
    with pytest.raises(
        DataError, match=r"rows\.json begins like a JSON array, but is none \(.*\)\. Mend it, or write one object a"
    ):
        list(read_rows(path))
    path.write_text('{"text": "a"}')
    with pytest.raises(DataError, match=r"holds a JSON dict, but a table is an array of objects"):
        list(read_blocks(Source(str(path), "json")))
