"""Whatever stands in a table comes out of it as it went in, wherever the blocks end."""

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from headway.tables import blocks as blocks_of_lines
from headway.tables import delimited, read_rows

TEXTS = some.text(some.characters(exclude_categories=["Cs"]), max_size=12) | some.sampled_from(
    ['"', '""', ",", "\n", "\r\n", "a,b", "007", "nan"]
)
NAMES = some.lists(some.sampled_from(["text", "id", "label", 'odd "name"', "x,y"]), min_size=2, max_size=4, unique=True)
PLAIN = (
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(max_size=8)
)
VALUES = PLAIN | some.lists(PLAIN, max_size=3)


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCK_BYTES", 512)
        patch.setattr(blocks_of_lines.line_blocks, "__defaults__", (48,))
        yield


def read_back(name, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content.encode())
        return list(read_rows(path))


@settings(max_examples=150)
@given(some.data())
def test_csv_comes_back_as_it_was_written(data):
    names = data.draw(NAMES)
    rows = data.draw(some.lists(some.tuples(*[TEXTS] * len(names)), max_size=12))
    written = io.StringIO(newline="")
    table = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator=data.draw(some.sampled_from(["\n", "\r\n"])))
    table.writerows([names, *rows])
    assert read_back("rows.csv", written.getvalue()) == [dict(zip(names, row, strict=True)) for row in rows]


@settings(max_examples=150)
@given(some.lists(some.dictionaries(some.sampled_from(["text", "id", "label"]), VALUES, max_size=3), max_size=12))
def test_json_lines_come_back_as_they_were_written(rows):
    found = read_back("rows.jsonl", "".join(json.dumps(row, ensure_ascii=bool(len(row) % 2)) + "\n" for row in rows))
    filled = [{name: row.get(name) for name in back} for row, back in zip(rows, found, strict=True)]
    assert found == filled
    assert all(set(row) <= set(back) for row, back in zip(rows, found, strict=True))


@settings(max_examples=100)
@given(
    some.lists(some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\r\n\ufeff"), max_size=30), max_size=12)
)
def test_lines_come_back_as_they_were_written(texts):
    assert read_back("rows.txt", "".join(f"{text}\n" for text in texts)) == [{"text": text} for text in texts]
