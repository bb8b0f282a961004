"""SQuAD's own files, version 1.1 or 2.0: articles with paragraphs with questions, of which each becomes a row.

Columns are those of the data set of the same name: id, title, context, question, and answers as ``{"text": […], "answer_start":
[…]}``, whose lists are empty for a question that its context does not answer. Rajpurkar et al., 2016, arXiv:1606.05250, and 2018,
arXiv:1806.03822.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from headway.errors import DataError
from headway.tables.form import Form, Opened, without_first
from headway.tables.rows import Rows, rows_from

ARTICLES = re.compile(rb'^\s*\{(?:\s*"version"\s*:\s*"[^"]*"\s*,)?\s*"data"\s*:\s*\[\s*\{\s*"(?:title|paragraphs)"')


def matches(name: str, head: bytes) -> bool:
    """Whether a file begins as SQuAD's do."""
    return ARTICLES.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def read(opened: Opened, skip: int) -> Iterator[Rows]:
    """The questions, in the order of the file."""
    return without_first(rows_from(records(opened)), skip)


def records(opened: Opened) -> Iterator[dict[str, Any]]:
    """The questions as rows; a file that is not whole, or lacks a part, is a ``DataError``."""
    try:
        yield from questions(json.loads(opened.stream.read().decode("utf-8-sig")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"{opened.name} begins like a SQuAD file, but cannot be read as one ({said}). Its form is "
            '{"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": …}]}]}]}.'
        ) from error


def questions(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The questions of a file that was read, as rows."""
    for article in document["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield _row(question, context=paragraph["context"], title=article.get("title", ""))


def _row(question: Mapping[str, Any], *, context: str, title: str) -> dict[str, Any]:
    answers = question.get("answers") or []
    return {
        "id": question.get("id", ""),
        "title": title,
        "context": context,
        "question": question["question"],
        "answers": {
            "text": [answer["text"] for answer in answers],
            "answer_start": [answer["answer_start"] for answer in answers],
        },
    }


FORM = Form(name="squad", suffixes=(".json",), matches=matches, read=read)
