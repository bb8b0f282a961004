"""Teachers of four layers, of prime and unequal sizes, and texts and rows to learn from."""

import json
from pathlib import Path

import pytest

from conftest import TINY
from headway.families import family

TEXTS = ("the movie was good", "a bad film", "great fun this is , we love it", "it was awful and boring !", "he saw the dog")


@pytest.fixture(scope="session")
def teacher(model_folder):
    """``teacher("masked-lm")``: a model of four layers with random weights."""
    return lambda head, **settings: str(model_folder(head, **{"num_hidden_layers": 4, **settings}))


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    """19 documents of unequal length."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    documents = [" ".join([TEXTS[number % 5], "and", TEXTS[(2 * number + 1) % 5]] * (1 + number % 3)) for number in range(19)]
    path.write_text("\n\n".join(documents), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def rows(tmp_path_factory):
    """23 texts, every fourth without its label."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    made = [{"text": f"{TEXTS[n % 5]} {TEXTS[n % 3]}", "label": None if n % 4 == 3 else n % 3} for n in range(23)]
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def labelled(rows, tmp_path_factory):
    """Those of them that have one."""
    path = tmp_path_factory.mktemp("rows") / "labelled.jsonl"
    lines = [
        line for line in Path(rows).read_text(encoding="utf-8").splitlines(keepends=True) if json.loads(line)["label"] is not None
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def narrow(tmp_path_factory):
    """The configuration of a student of two layers that is narrower than its teacher, with as many heads."""
    path = tmp_path_factory.mktemp("narrow") / "config.json"
    family("bert").config(**TINY | {"num_hidden_layers": 2, "hidden_size": 20}).to_json_file(path)
    return str(path)
