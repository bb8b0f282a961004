"""Names such as ``BertTokenizer``: what they load, what they recognise, what they refuse."""

from pathlib import Path

import pytest

import headway
from headway.errors import ConfigError, TokenizerError


@pytest.mark.parametrize("name", ["BertTokenizer", "BertTokenizerFast", "RobertaTokenizer", "DistilBertTokenizerFast"])
def test_each_name_loads_the_tokenizer_that_the_files_describe(model_folder, name):
    folder = model_folder("base")
    found = getattr(headway, name).from_pretrained(folder, model_max_length=17)
    known = headway.AutoTokenizer.from_pretrained(folder)
    assert found("the movie was good")["input_ids"] == known("the movie was good")["input_ids"]
    assert found.model_max_length == 17
    assert isinstance(found, headway.AutoTokenizer)
    assert isinstance(found, getattr(headway, name))


def test_keywords_of_transformers_that_ask_for_nothing_pass_and_others_are_refused_with_the_reason(model_folder):
    folder = model_folder("base")
    for keywords in ({"use_fast": True}, {"use_fast": False}, {"trust_remote_code": False, "force_download": False}):
        assert len(headway.AutoTokenizer.from_pretrained(folder, **keywords)) == 101
    with pytest.raises(ConfigError, match="trust_remote_code=True cannot be had here: it would run code from the repository"):
        headway.AutoTokenizer.from_pretrained(folder, trust_remote_code=True)


def test_a_tokenizer_is_published_as_the_folder_that_was_saved(tiny_tokenizer, monkeypatch):
    pushed = []

    def push(folder, repo_id, **hub):
        pushed.append((repo_id, hub, sorted(path.name for path in Path(folder).iterdir())))
        return "https://hub/commit"

    monkeypatch.setattr("headway.checkpoints.push_folder", push)
    assert tiny_tokenizer.push_to_hub("owner/name", private=True) == "https://hub/commit"
    assert pushed == [("owner/name", {"private": True}, ["tokenizer.json", "tokenizer_config.json"])]


def test_what_is_no_tokenizer_is_not_recognised():
    assert not isinstance("the movie", headway.BertTokenizer)


def test_a_vocabulary_file_alone_is_refused_with_the_way():
    with pytest.raises(
        TokenizerError, match=r"BertTokenizer makes tokenizers from a model's folder: .*\.from_pretrained\(folder\)"
    ):
        headway.BertTokenizer("vocab.txt")
