import pytest

from headway.errors import ConfigError
from headway.settings.changes import config_changes


def test_values_are_json_where_they_can_be_and_text_elsewhere():
    words = ["pooling=mean", "local_attention=64", "norm_eps=1e-6", "tied=true", "none=null", "empty=", "is=a=b"]
    expected = {
        "pooling": "mean",
        "local_attention": 64,
        "norm_eps": 1e-6,
        "tied": True,
        "none": None,
        "empty": "",
        "is": "a=b",
    }
    assert config_changes(words) == expected


@pytest.mark.parametrize("word", ["classifier_pooling", "=mean", ""])
def test_a_word_without_name_or_value_is_an_error_that_shows_how(word):
    with pytest.raises(ConfigError, match=f"{word!r} changes no setting of a model. Write NAME=VALUE"):
        config_changes([word])
