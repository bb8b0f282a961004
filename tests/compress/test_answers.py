"""A teacher's answers on disk: made once, gone on with after a kill, and made by one process at a time."""

import json

import numpy as np
import pytest

from headway.bulk.locking import locked
from headway.compress.answers import VALUES, kept_answers
from headway.errors import ConfigError

ROWS = [(np.full((1 + number % 3, 5), number) + np.arange(5) / 7).astype(np.float32) for number in range(17)]
"""One to three rows of five scores for each of 17 texts."""


def make(first, *, stops=None, asked=None):
    """Answers three at a time; a run that ``stops`` is killed before that one is written."""
    if asked is not None:
        asked.append(first)
    for start in range(first, len(ROWS), 3):
        if stops is not None and start >= stops:
            raise KeyboardInterrupt
        yield ROWS[start : start + 3]


def kept(folder, **given):
    return kept_answers(folder, identity=["a", "b"], count=len(ROWS), make=lambda first: make(first, **given))


def test_answers_are_read_as_they_were_made(tmp_path):
    found = kept(tmp_path)
    assert found.values.shape == (sum(map(len, ROWS)), 5)
    for number, rows in enumerate(ROWS):
        np.testing.assert_array_equal(found.of(number), rows)
    asked = []
    kept(tmp_path, asked=asked)
    assert asked == []


def test_a_killed_run_is_gone_on_with_where_it_was(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, stops=9)
    (unfinished,) = tmp_path.iterdir()
    assert unfinished.name.endswith(".unfinished")
    with (unfinished / VALUES).open("ab") as file:
        file.write(b"half a row")
    asked = []
    found = kept(tmp_path, asked=asked)
    assert asked == [9]
    np.testing.assert_array_equal(found.values, np.concatenate(ROWS))
    (folder,) = tmp_path.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["answers.json", "ends.bin", "values.bin"]
    assert json.loads((folder / "answers.json").read_text())["sequences"] == 17


def test_two_processes_do_not_make_the_same(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, stops=3)
    (unfinished,) = tmp_path.iterdir()
    with locked(unfinished, tmp_path), pytest.raises(ConfigError, match=r"Another process is writing .* holds the lock"):
        kept(tmp_path)
