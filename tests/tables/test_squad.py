"""SQuAD's own files as rows."""

import io
import json
import lzma

import pytest

from headway.errors import DataError
from headway.tables import read_rows
from headway.tables.form import Opened
from headway.tables.squad import matches, records

SUPER_BOWL = {"text": "Denver Broncos", "answer_start": 4}
ARTICLES = [
    {
        "title": "Super_Bowl_50",
        "paragraphs": [
            {
                "context": "The Denver Broncos won.",
                "qas": [
                    {"id": "a", "question": "Who won?", "answers": [SUPER_BOWL, {"text": "Broncos", "answer_start": 11}]},
                    {"id": "b", "question": "Who sang?", "answers": [], "is_impossible": True},
                ],
            }
        ],
    },
    {"title": "Zürich", "paragraphs": [{"context": "A city.", "qas": [{"question": "What is it?", "id": "c", "answers": []}]}]},
]


@pytest.mark.parametrize("version", ["1.1", "v2.0", None])
@pytest.mark.parametrize("name", ["dev.json", "dev.json.xz"])
def test_each_question_is_a_row_with_its_context_and_all_its_answers(tmp_path, name, version):
    document = {"version": version, "data": ARTICLES} if version else {"data": ARTICLES}
    opened = lzma.open if name.endswith(".xz") else open
    with opened(tmp_path / name, "wt", encoding="utf-8") as file:
        json.dump(document, file)
    first, second, third = read_rows(tmp_path / name)
    assert first == {
        "id": "a",
        "title": "Super_Bowl_50",
        "context": "The Denver Broncos won.",
        "question": "Who won?",
        "answers": {"text": ["Denver Broncos", "Broncos"], "answer_start": [4, 11]},
    }
    assert second["answers"] == {"text": [], "answer_start": []}
    assert (third["title"], third["id"]) == ("Zürich", "c")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"data": [{"title": "x"', True),
        (b'\n {\n "version" : "1.1",\n "data" : [\n {"paragraphs"', True),
        (b'\xef\xbb\xbf{"data":[{"title"', True),
        (b'{"data": "a text", "label": 1}\n', False),
        (b'{"data": [1, 2]}\n', False),
        (b'{"text": "a"}\n', False),
        (b"", False),
    ],
)
def test_a_file_of_squad_is_known_by_its_beginning(head, expected):
    assert matches("dev.json", head) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"data": [{"title": "x", "paragraphs": [{"qas": [{"question": "?"}]}]}]}', r"it lacks 'context'"),
        ('{"data": [{"title": "x"', r"Expecting ',' delimiter"),
        ('{"data": [{"paragraphs": 3}]}', "not iterable"),
    ],
)
def test_a_file_that_is_not_whole_says_what_its_form_is(text, said):
    with pytest.raises(DataError, match=rf"^dev\.json begins like a SQuAD file, but .*{said}.* Its form is"):
        list(records(Opened("dev.json", io.BytesIO(text.encode()))))


@pytest.mark.data
def test_the_real_files_have_as_many_questions_as_their_authors_say(data_folder):
    assert sum(1 for _ in read_rows(data_folder / "squad" / "dev-v1.1.json")) == 10_570
    unanswered = [not row["answers"]["text"] for row in read_rows(data_folder / "squad" / "dev-v2.0.half.json")]
    assert (len(unanswered), sum(unanswered)) == (6_078, 3_168)
