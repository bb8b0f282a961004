"""Names such as ``BertTokenizer``: what they load, what they recognise, what they refuse."""

import pytest

import headway
from headway.errors import TokenizerError


@pytest.mark.parametrize("name", ["BertTokenizer", "BertTokenizerFast", "RobertaTokenizer", "DistilBertTokenizerFast"])
def test_each_name_loads_the_tokenizer_that_the_files_describe(model_folder, name):
    folder = model_folder("base")
    found = getattr(headway, name).from_pretrained(folder, model_max_length=17)
    known = headway.AutoTokenizer.from_pretrained(folder)
    assert found("the movie was good")["input_ids"] == known("the movie was good")["input_ids"]
    assert found.model_max_length == 17
    assert isinstance(found, headway.AutoTokenizer)
    assert isinstance(found, getattr(headway, name))


def test_what_is_no_tokenizer_is_not_recognised():
    assert not isinstance("the movie", headway.BertTokenizer)


def test_a_vocabulary_file_alone_is_refused_with_the_way():
    with pytest.raises(
        TokenizerError, match=r"BertTokenizer makes tokenizers from a model's folder: .*\.from_pretrained\(folder\)"
    ):
        headway.BertTokenizer("vocab.txt")
