"""Rows from files of every form; what cannot be read names the file and the row."""

import bz2
import gzip
import io
import json
import lzma
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from pyarrow import parquet

from headway.errors import ConfigError, DataError
from headway.tables import Source, delimited, find_sources, form_named, names_files, read_blocks, read_rows, records, rows_from
from headway.tables import blocks as blocks_of_lines

ROWS = [{"text": "A, b", "label": "x"}, {"text": "c", "label": "y"}]
CSV = 'text,label\n"A, b",x\nc,y\n'


def read_all(source, skip=0):
    """Every row, and the faults by the rows' numbers."""
    rows, faults = [], {}
    for block in read_blocks(source if isinstance(source, Source) else Source(str(source)), skip=skip):
        faults |= {len(rows) + place: reason for place, reason in block.faults.items()}
        rows += records(block.batch)
    return rows, faults


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few bytes, so that a small file has many."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    monkeypatch.setattr(blocks_of_lines.line_blocks, "__defaults__", (32,))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("rows.csv", CSV, id="CSV"),
        pytest.param("rows.csv", CSV.replace("\n", "\r\n"), id="CSV of Windows"),
        pytest.param("rows.csv", CSV.removesuffix("\n"), id="CSV whose last line has no end"),
        pytest.param("rows.CSV", CSV, id="CSV in capitals"),
        pytest.param("rows.tsv", "text\tlabel\nA, b\tx\nc\ty\n", id="TSV"),
        pytest.param(
            "rows.jsonl", '{"text": "A, b", "label": "x"}\n\n{"text": "c", "label": "y"}\n', id="JSON Lines, a blank one too"
        ),
        pytest.param("rows.json", '{"text": "A, b", "label": "x"}\r\n{"text": "c", "label": "y"}', id="JSON Lines of Windows"),
        pytest.param("rows.csv", "\ufeff" + CSV, id="byte order mark in CSV"),
        pytest.param("rows.jsonl", '\ufeff{"text": "A, b", "label": "x"}\n{"text": "c", "label": "y"}', id="mark in JSON"),
    ],
)
def test_rows_of_each_form_are_the_same(tmp_path, name, content):
    assert list(read_rows(write(tmp_path / name, content))) == ROWS


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)])
def test_compressed_rows_are_read_as_they_are(tmp_path, ending, pack):
    assert list(read_rows(write(tmp_path / f"rows.csv{ending}", pack(CSV.encode())))) == ROWS
    lines = write(tmp_path / f"rows.txt{ending}", pack(b"a\n") + pack(b"b\n"))  # as from cat a.gz b.gz
    assert list(read_rows(lines)) == [{"text": "a"}, {"text": "b"}]


def test_zstandard_is_read_through_arrow(tmp_path):
    path = tmp_path / "rows.csv.zst"
    with pa.OSFile(str(path), "wb") as file, pa.CompressedOutputStream(file, "zstd") as packed:
        packed.write(CSV.encode())
    assert list(read_rows(path)) == ROWS


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        pytest.param(gzip.compress(CSV.encode()), ".gz, or unpack it first", id="gzip"),
        pytest.param(lzma.compress(CSV.encode()), ".xz, or unpack it first", id="xz"),
        pytest.param(bz2.compress(CSV.encode()), ".bz2, or unpack it first", id="bzip2"),
        pytest.param(b"\x28\xb5\x2f\xfd" + b"\0" * 9, ".zst, or unpack it first", id="zstandard"),
        pytest.param(b"PAR1\x15\x04", ".parquet", id="Parquet"),
    ],
)
@pytest.mark.parametrize("name", ["rows.csv", "rows.txt", "rows.jsonl", "rows.json", "rows.conll"])
def test_a_file_that_is_no_text_though_its_name_says_so_is_refused_and_not_read_as_no_rows(tmp_path, name, content, ending):
    path = write(tmp_path / name, content)
    true = ending.partition(",")[0]
    said = f"{path} is no text: its first bytes are those of a {true} file. End its name in {ending}."
    with pytest.raises(DataError, match=re.escape(said)):
        read_all(path)


def test_an_archive_and_packed_standard_input_are_refused_with_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"those of a \.zip file\. Unpack it first, or save a spreadsheet as CSV\."):
        read_all(write(tmp_path / "rows.csv", b"PK\x03\x04"))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(gzip.compress(b"a\n")))))
    said = r"^Standard input is no text: its first bytes are those of a \.gz file\. Save it as a file in \.gz, or unpack it first"
    with pytest.raises(DataError, match=said):
        read_all(Source("-"))


@pytest.mark.parametrize("text", ["PAR1,b\nx,y\n", "BZh,b\nx,y\n", "PK,b\nx,y\n"])
def test_a_text_that_begins_like_another_file_is_a_text(tmp_path, text):
    assert [*next(read_rows(write(tmp_path / "rows.csv", text))).values()] == ["x", "y"]


def test_parquet_keeps_its_types_and_plain_values_for_dictionaries(tmp_path):
    table = pa.table(
        {"text": pa.array(["a", None, "c"]).dictionary_encode(), "id": pa.array([7, 11, 13], pa.uint64()), "v": [[1.5], [], None]}
    )
    parquet.write_table(table, tmp_path / "rows.parquet")
    expected = [{"text": "a", "id": 7, "v": [1.5]}, {"text": None, "id": 11, "v": []}, {"text": "c", "id": 13, "v": None}]
    assert list(read_rows(tmp_path / "rows.parquet")) == expected


def test_a_cell_of_csv_is_the_text_that_stands_there(tmp_path):
    content = 'id,text,note\n007,NULL,\n1e5,nan,true\n 2020-01-01 ,"line\nbreak","say ""so"""\n5" pipe,\',\u00e9\n'
    assert list(read_rows(write(tmp_path / "rows.csv", content))) == [
        {"id": "007", "text": "NULL", "note": None},
        {"id": "1e5", "text": "nan", "note": "true"},
        {"id": " 2020-01-01 ", "text": "line\nbreak", "note": 'say "so"'},
        {"id": '5" pipe', "text": "'", "note": "\u00e9"},
    ]


def test_an_empty_cell_is_nothing_and_a_pair_of_quotes_is_an_empty_text(tmp_path):
    rows = [{"id": "1", "text": None}, {"id": "2", "text": ""}, {"id": None, "text": "c"}]
    assert list(read_rows(write(tmp_path / "rows.csv", 'id,text\n1,\n2,""\n,c\n'))) == rows
    assert list(read_rows(write(tmp_path / "rows.tsv", "id\ttext\n1\t\n\tc\n"))) == [rows[0], rows[2]]


def test_quotes_mean_nothing_in_tsv(tmp_path):
    assert list(read_rows(write(tmp_path / "rows.tsv", 'text\tid\n"so\t1\nx"\t2\n'))) == [
        {"text": '"so', "id": "1"},
        {"text": 'x"', "id": "2"},
    ]


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
def test_rows_with_too_few_cells_end_with_nothing_and_those_with_too_many_are_faults(tmp_path, small_blocks, name):
    separator = "," if name == "rows.csv" else "\t"
    cells = [["a", "b"]] + [[f"x{row}", "y"][: 1 if row % 5 == 0 else 2] + ["z"] * (row % 7 == 0) for row in range(50)]
    path = write(tmp_path / name, "\n".join(separator.join(row) for row in cells))
    rows, faults = read_all(path)
    assert [row["a"] for row in rows] == [f"x{row}" for row in range(50)]
    expected = ["z" if row % 35 == 0 else None if row % 5 == 0 else "y" for row in range(50)]
    assert [row["b"] for row in rows] == expected
    assert sorted(faults) == [row for row in range(50) if row % 7 == 0 and row % 5]
    assert faults[7].startswith(f"Row 8 of {path} has more fields than the header has columns. Quote fields")


def test_a_file_of_nothing_but_faulty_rows_has_them_all(tmp_path, small_blocks):
    rows, faults = read_all(write(tmp_path / "rows.csv", "a\n" + "1,2\n" * 99))
    assert rows == [{"a": "1"}] * 99
    assert len(faults) == 99


@pytest.mark.parametrize("content", ["", "a,b", "a,b\n", "\ufeff", "\n\n"])
def test_a_csv_without_rows_has_none(tmp_path, content):
    assert list(read_rows(write(tmp_path / "rows.csv", content))) == []


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.txt", "rows.tsv"])
def test_an_empty_file_has_no_rows(tmp_path, name):
    assert list(read_rows(write(tmp_path / name, ""))) == []


def test_lines_are_texts_also_empty_ones(tmp_path, small_blocks):
    texts = ["", "a" * 100, "", "b", *map(str, range(40))]
    assert [row["text"] for row in read_rows(write(tmp_path / "rows.txt", "\r\n".join(texts) + "\r\n"))] == texts


ODD = [
    pytest.param([{"id": 1}, {"id": "x"}, {"id": None}, {"id": [2]}], id="several types"),
    pytest.param([{"id": 2**63}, {"id": 18446744073709551617}, {"id": 1}], id="numbers beyond 63 bits"),
    pytest.param([{"id": 9007199254740993}, {"id": 0.5}], id="numbers that a float does not hold"),
    pytest.param([{"day": "2020-01-01"}, {"day": "2020-01-01 10:00:00"}], id="times"),
    pytest.param([{"n": {"days": ["2020-01-01"]}}] * 2, id="times further inside"),
    pytest.param([{"text": "half \ud800"}, {"text": "whole"}], id="half a surrogate pair"),
    pytest.param([{"ok": True}, {"ok": 1}, {"ok": False}], id="truths and numbers"),
    pytest.param([{"text": "a", "deep": {"x": [1, {"y": None}]}}], id="records"),
    pytest.param([{"text": "\u20ac \U0001f600 \x00"}], id="signs"),
]


@pytest.mark.parametrize("rows", ODD)
def test_json_values_come_as_they_stand_there(tmp_path, rows):
    path = write(tmp_path / "rows.jsonl", "\n".join(map(json.dumps, rows)))
    assert list(read_rows(path)) == rows
    assert [type(value) for row in read_rows(path) for value in row.values()] == [type(v) for row in rows for v in row.values()]


def test_a_name_that_a_json_row_lacks_is_none_and_later_blocks_may_have_other_names_and_types(tmp_path, small_blocks):
    rows = [{"text": "a"}, {"note": 1}, *({"text": str(row)} for row in range(9)), {"text": 5}, {"other": "z"}, {}]
    found = list(read_rows(write(tmp_path / "rows.jsonl", "\n".join(map(json.dumps, rows)))))
    assert [{name: value for name, value in row.items() if value is not None} for row in found] == rows


def test_a_line_that_is_no_object_is_a_fault_among_the_others(tmp_path):
    lines = ['{"text": "a"}', "[1]", '{"te', "", '{"text": "b"}', '"x"', "[" * 100_000, '{"text": "c"}']
    rows, faults = read_all(write(tmp_path / "rows.jsonl", "\n".join(lines)))
    assert [row["text"] for row in rows] == ["a", None, None, "b", None, None, "c"]
    assert sorted(faults) == [1, 2, 4, 5]
    assert "Line 2 of " in faults[1]
    assert (
        "holds a JSON list, but each line must hold one object of columns. If the file is one array, end its name in .json"
        in faults[1]
    )
    assert "Line 3 of " in faults[2]
    assert "is not JSON" in faults[2]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_table_in_utf16_is_said_to_be_one(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes("\ufefftext\ngood\n".encode(encoding))
    with pytest.raises(DataError, match=r"a\.csv is in UTF-16, but tables of text are read in UTF-8\. Save it as UTF-8"):
        list(read_blocks(Source(str(tmp_path / "a.csv"))))


@pytest.mark.parametrize("name", ["rows.txt", "rows.jsonl", "rows.csv", "rows.tsv"])
def test_text_that_is_not_utf8_is_a_fault_with_its_place(tmp_path, name):
    good, bad = ("%s", "%s") if name != "rows.jsonl" else ('{"text": "%s"}', '{"text": "%s"}')
    lines = [(good % "a").encode(), (bad % "b").encode().replace(b"b", b"\xff\xfeb"), (good % "c").encode()]
    header = [b"text"] if name in ("rows.csv", "rows.tsv") else []
    rows, faults = read_all(write(tmp_path / name, b"\n".join([*header, *lines])))
    assert [rows[0]["text"], rows[2]["text"]] == ["a", "c"]
    assert list(faults) == [1]
    assert f" 2 of {tmp_path / name} is not " in faults[1]
    assert "invalid start byte" in faults[1]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("rows.csv", "id,text\n" + "".join(f'{row},"a\n{row}"\n' for row in range(100)), id="CSV"),
        pytest.param("rows.jsonl", "".join(json.dumps({"id": row, "text": "a"}) + "\n" for row in range(100)), id="JSON Lines"),
        pytest.param("rows.txt", "".join(f"{row}\n" for row in range(100)), id="lines"),
    ],
)
@pytest.mark.parametrize("skip", [0, 1, 37, 99, 100, 101])
def test_the_first_rows_can_be_left_out(tmp_path, small_blocks, name, content, skip):
    path = write(tmp_path / name, content)
    assert read_all(path, skip=skip)[0] == read_all(path)[0][skip:]
    fractions = [block.fraction for block in read_blocks(Source(str(path)))]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_groups_of_parquet_that_are_done_are_not_read(tmp_path, monkeypatch):
    table = pa.table({"id": range(100)})
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=13)
    read = []
    usual = parquet.ParquetFile.iter_batches
    monkeypatch.setattr(
        parquet.ParquetFile, "iter_batches", lambda file, **named: read.append(named["row_groups"]) or usual(file, **named)
    )
    rows, _ = read_all(tmp_path / "rows.parquet", skip=28)
    assert [row["id"] for row in rows] == list(range(28, 100))
    assert read == [[2, 3, 4, 5, 6, 7]]
    assert read_all(tmp_path / "rows.parquet", skip=100)[0] == []
    assert [block.fraction for block in read_blocks(Source(str(tmp_path / "rows.parquet")), skip=95)][-1] == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("rows.xls", b"x", "is no kind of table that can be read here. Known are ", id="form"),
        pytest.param("rows.csv.gz", b"no gzip", "cannot be read", id="not compressed"),
        pytest.param("rows.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 999)[:-20], "cannot be read", id="compressed, cut off"),
        pytest.param("rows.jsonl.xz", b"no xz", "cannot be read", id="no xz"),
        pytest.param("rows.csv.zst", b"text\na\n", "cannot be read", id="no zstandard"),
        pytest.param("rows.parquet", b"PAR1", "cannot be read", id="no Parquet"),
        pytest.param("rows.jsonl", b'{"text": 1}\n{"te', "Line 2 of ", id="line cut off"),
        pytest.param("rows.csv", b"text\na,b\n", "Row 1 of ", id="more fields than columns"),
        pytest.param("rows.csv", b"a,b,a\n1,2,3\n", "has 'a' twice among its columns", id="a name twice"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, said):
    path = write(tmp_path / name, content)
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_parquet_with_a_name_twice_is_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], ["a", "a"])
    parquet.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="has 'a' twice among its columns"):
        list(read_rows(tmp_path / "rows.parquet"))


def test_a_row_longer_than_what_is_read_at_once_is_said(tmp_path, small_blocks):
    with pytest.raises(DataError, match=r"has a row of more than .* perhaps a quote was opened and never closed"):
        list(read_rows(write(tmp_path / "rows.csv", 'a,b\n1,"' + "x,y\n" * 99)))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        list(read_rows(tmp_path / "rows.csv"))


def test_standard_input_is_lines_or_the_form_that_is_named(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CSV.encode())))
    assert [row["text"] for row in read_all(Source("-"))[0]] == CSV.splitlines()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CSV.encode())))
    assert read_all(Source("-", "csv"))[0] == ROWS
    with pytest.raises(ConfigError, match=r"There is no form of table 'xls'\. Known are .*csv, "):
        form_named("xls")


def test_parquet_from_standard_input_is_refused(tmp_path):
    parquet.write_table(pa.table({"text": ["a"]}), tmp_path / "rows.parquet")
    code = "from headway.tables import Source, read_blocks; list(read_blocks(Source('-', 'parquet')))"
    with subprocess.Popen(["cat", tmp_path / "rows.parquet"], stdout=subprocess.PIPE) as cat:
        done = subprocess.run([sys.executable, "-c", code], stdin=cat.stdout, capture_output=True, text=True, check=False)
    assert "- cannot be read as Parquet, whose description stands at its end" in done.stderr


def test_files_are_found_by_pattern_in_the_order_of_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.csv", "a.csv", "c.txt"):
        Path(name).write_text("text\nx\n")
    Path("folder.csv").mkdir()
    assert [source.name for source in find_sources("*.csv")] == ["a.csv", "b.csv"]
    assert [source.name for source in find_sources("c.txt")] == ["c.txt"]
    with pytest.raises(DataError, match=r"No file matches \*\.tsv, so there is nothing to read"):
        find_sources("*.tsv")
    with pytest.raises(DataError, match=r"There is no file d\.csv"):
        find_sources("d.csv")


@pytest.mark.parametrize("word", ["-", "a.csv", "none.jsonl.gz", "no*.parquet", "a*", "s3://bucket/x", "file:///tmp/x.csv"])
def test_words_that_mean_files(tmp_path, monkeypatch, word):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("")
    assert names_files(word)


@pytest.mark.parametrize("word", ["good", "is it good?", "why?", "see a.csv", "https://a.b/c", "zero \0 byte", "x" * 5000, "5*"])
def test_words_that_are_texts(tmp_path, monkeypatch, word):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("")
    assert not names_files(word)


def test_files_are_read_by_their_uri_and_known_by_size_and_time(tmp_path):
    path = write(tmp_path / "rows.csv", CSV)
    source = Source(f"file://{path}")
    assert read_all(source)[0] == ROWS
    stat = path.stat()
    expected = {"size": stat.st_size, "changed": stat.st_mtime_ns}
    assert source.identity() == {"name": f"file://{path}", **expected}
    assert Source(str(path)).identity() == {"name": str(path), **expected}
    assert Source("-").identity() == {"name": "-"}
    assert not names_files(f"{path}\0")
    with pytest.raises(DataError, match="is no file in its store"):
        read_all(Source(f"file://{tmp_path}/none.csv"))


def test_single_rows_become_blocks():
    blocks = list(rows_from(({"n": number} for number in range(5)), at_once=2))
    assert [len(block) for block in blocks] == [2, 2, 1]
    assert [row["n"] for block in blocks for row in records(block.batch)] == [0, 1, 2, 3, 4]


def test_without_arrow_the_error_says_what_to_install(tmp_path):
    code = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'pyarrow' else find(name, package)\n"
        "import headway.tables, headway.errors\n"
        "try: list(headway.tables.read_rows('x.csv'))\n"
        "except headway.errors.MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Reading tables needs the package 'pyarrow', which is not installed")
    assert "pip install 'headway[files]'" in done.stdout
