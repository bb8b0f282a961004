"""Which models the words after ``headway serve`` mean, where some ship under names that tasks have as well."""

import pytest

from headway.serving.loaded import sources


@pytest.fixture(autouse=True)
def shipped(monkeypatch, tmp_path):
    names = ("embeddings", "fill-mask", "ner", "questions", "sentiment")
    monkeypatch.setattr("headway.checkpoints.location.shipped_models", lambda: dict.fromkeys(names, tmp_path))
    return names


def meant(*words):
    return [(one.name, one.task, one.model) for one in sources(words)]


def test_without_words_all_that_ships_is_served_under_its_own_name(shipped):
    assert meant() == [(name, None, name) for name in shipped]


def test_a_shipped_model_after_another_is_its_own_though_the_first_is_called_like_a_task():
    assert meant("ner", "fill-mask", "questions") == [
        ("ner", None, "ner"),
        ("fill-mask", None, "fill-mask"),
        ("questions", None, "questions"),
    ]
    assert meant("ner") == [("ner", "ner", None)]


def test_a_task_still_stands_before_a_model_of_ones_own():
    assert meant("ner", "org/tagger", "questions") == [("org/tagger", "ner", "org/tagger"), ("questions", None, "questions")]
