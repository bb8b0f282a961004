"""Rows from files of every known form; what cannot be read names the file and the line."""

import gzip
import lzma

import pytest

from headway.core.tables import read_rows
from headway.errors import DataError

ROWS = [{"text": "A, b", "label": "x"}, {"text": "c", "label": "y"}]
CSV = 'text,label\n"A, b",x\nc,y\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("rows.csv", CSV, id="CSV"),
        pytest.param("rows.tsv", "text\tlabel\nA, b\tx\nc\ty\n", id="TSV"),
        pytest.param(
            "rows.jsonl", '{"text": "A, b", "label": "x"}\n\n{"text": "c", "label": "y"}\n', id="JSON Lines, a blank one too"
        ),
        pytest.param("rows.csv", "\ufeff" + CSV, id="byte order mark"),
    ],
)
def test_rows_of_each_form_are_the_same(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert list(read_rows(path)) == ROWS


@pytest.mark.parametrize(("ending", "opened"), [(".gz", gzip.open), (".xz", lzma.open)])
def test_compressed_rows_are_read_as_they_are(tmp_path, ending, opened):
    path = tmp_path / f"rows.csv{ending}"
    with opened(path, "wt", encoding="utf-8") as file:
        file.write(CSV)
    assert list(read_rows(path)) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("rows.parquet", b"x", "is no kind of table that can be read here. Known are .csv, .tsv, .jsonl", id="form"),
        pytest.param("rows.jsonl", b'{"text": 1}\n{"te', "Line 2 of ", id="line cut off"),
        pytest.param("rows.jsonl", b"[1, 2]\n", "holds a JSON list, but each line must hold one object of columns", id="list"),
        pytest.param("rows.csv", b"text\na,b\n", "Line 2 of ", id="more fields than columns"),
        pytest.param("rows.csv", b"text\n\xff\xfe\n", "cannot be read", id="not UTF-8"),
        pytest.param("rows.csv.gz", b"no gzip", "cannot be read", id="not compressed"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        list(read_rows(tmp_path / "rows.csv"))
