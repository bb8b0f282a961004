"""CoNLL's columns as rows."""

import io

import pytest

from headway.errors import DataError
from headway.tables import read_rows
from headway.tables.conll import matches, records
from headway.tables.form import Opened

FOUR = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

# CD B-NP O
Peter NNP B-NP B-PER
"""
ROWS = [
    {"tokens": ["EU", "rejects"], "ner_tags": ["B-ORG", "O"]},
    {"tokens": ["#", "Peter"], "ner_tags": ["O", "B-PER"]},
]


@pytest.mark.parametrize("name", ["dev.txt", "dev.conll", "dev.iob"])
def test_each_sentence_is_a_row_of_tokens_and_tags(tmp_path, name):
    (tmp_path / name).write_text(FOUR, encoding="utf-8")
    assert list(read_rows(tmp_path / name)) == ROWS


def test_columns_with_tabs_may_hold_spaces_and_lines_may_end_as_on_windows(tmp_path):
    (tmp_path / "dev.tsv").write_bytes(b"\xef\xbb\xbf# sent_id = 1\r\nNew York\tI-LOC\r\nis\tO\r\n\t\r\n\r\n\xc2\xa0\tO\r\n")
    assert list(read_rows(tmp_path / "dev.tsv")) == [
        {"tokens": ["New York", "is"], "ner_tags": ["I-LOC", "O"]},
        {"tokens": ["\xa0"], "ner_tags": ["O"]},
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (FOUR.encode(), True),
        (b"What\tO\nis\tO\nBroo", True),
        (b"-DOCSTART- O\n\nEU B-ORG\nrejects O\n", True),
        (b"A lovely film .\nA waste of time .\n", False),
        (b"Vitamin O\n", False),
        (b"text\tlabel\ngood\t1\n", False),
        (b"", False),
    ],
)
def test_columns_are_known_by_the_tags_at_the_end_of_the_first_lines(head, expected):
    assert matches("dev.txt", head) is expected


def test_plain_lines_and_other_tables_stay_what_they_are(tmp_path):
    (tmp_path / "reviews.txt").write_text("A lovely film .\nA waste of time .\n", encoding="utf-8")
    (tmp_path / "reviews.tsv").write_text("text\tlabel\ngood\t1\n", encoding="utf-8")
    assert [row["text"] for row in read_rows(tmp_path / "reviews.txt")] == ["A lovely film .", "A waste of time ."]
    assert list(read_rows(tmp_path / "reviews.tsv")) == [{"text": "good", "label": "1"}]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"EU B-ORG\nrejects\n", r"Line 2 of dev\.txt \('rejects'\) has no tag in its last column\. Each line holds"),
        (b"EU B-ORG\ncall VB\n", r"Line 2 of dev\.txt \('call VB'\) has no tag"),
        (b"EU B-ORG\n\xff O\n", r"Line 2 of dev\.txt is not UTF-8"),
    ],
)
def test_a_line_without_a_tag_is_an_error_that_says_which(data, said):
    with pytest.raises(DataError, match=said):
        list(records(Opened("dev.txt", io.BytesIO(data))))


@pytest.mark.data
def test_the_real_files_have_as_many_sentences_as_their_authors_say(data_folder):
    assert sum(1 for _ in read_rows(data_folder / "conll2003" / "validation.txt")) == 3_250
    assert sum(1 for _ in read_rows(data_folder / "extra" / "ner" / "wikigold.txt")) == 1_696
