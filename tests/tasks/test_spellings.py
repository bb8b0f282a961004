"""Arguments of tokenizers, as people pass them to transformers' pipelines."""

import pytest

from headway.errors import TaskError
from headway.tasks import task
from headway.tasks.spellings import NO_EFFECT, ONLY, in_our_words


@pytest.mark.parametrize(
    ("truncation", "overflow"),
    [(True, "truncate"), ("longest_first", "truncate"), (False, "error"), ("do_not_truncate", "error"), (None, None)],
)
def test_truncation_says_what_happens_to_a_text_that_is_too_long(truncation, overflow):
    assert in_our_words({"truncation": truncation}, ()) == ({} if overflow is None else {"overflow": overflow})


def test_overflow_wins_over_truncation():
    assert in_our_words({"truncation": True, "overflow": "window"}, ()) == {"overflow": "window"}


@pytest.mark.parametrize("truncation", ["only_first", "only_second", "left", 7])
def test_a_truncation_that_cannot_be_had_says_what_can(truncation):
    with pytest.raises(TaskError, match=r"truncation=.* cannot be had here: True \(or 'longest_first'\) cuts the longer text"):
        in_our_words({"truncation": truncation}, ())


@pytest.mark.parametrize("name", NO_EFFECT)
def test_padding_and_the_like_change_nothing(name):
    assert in_our_words({name: "max_length", "top_k": 1}, ()) == {"top_k": 1}


@pytest.mark.parametrize(("name", "value", "message"), [
    ("add_special_tokens", False, "models were trained with their special tokens"),
    ("is_split_into_words", True, r"join the words: ' '\.join\(words\)"),
    ("return_overflowing_tokens", True, 'write overflow="window"'),
    ("return_tensors", "tf", "answers are plain Python values"),
    ("return_token_type_ids", False, "a model gets the inputs that it was trained with"),
    ("return_attention_mask", False, "every model reads it"),
])  # fmt: skip
def test_what_would_be_another_input_is_refused_and_what_happens_anyway_is_not(name, value, message):
    with pytest.raises(TaskError, match=rf"{name}={value!r} cannot be had here: .*{message}"):
        in_our_words({name: value}, ())
    for harmless in ONLY[name][0]:
        assert in_our_words({name: harmless}, ()) == {}


def test_a_tasks_own_options_stay_as_they_are():
    assert in_our_words({"return_tensors": "tf", "truncation": 3}, ("return_tensors", "truncation")) == {
        "return_tensors": "tf", "truncation": 3,
    }  # fmt: skip
    assert task("feature-extraction").choose({"return_tensors": "np"}).return_tensors == "np"


def test_arguments_in_one_mapping_give_way_to_those_by_themselves():
    assert in_our_words({"tokenize_kwargs": {"max_length": 5, "padding": True}, "max_length": 7}, ()) == {"max_length": 7}
