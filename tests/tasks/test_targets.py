"""What is learnt from a row's reference: classes, numbers, tags of tokens, the tokens of an answer, and the data's labels."""

import math
import random

import numpy as np
import pytest

from headway.errors import ConfigError, DataError
from headway.families import family
from headway.tasks import Encoded, Labels, ModelFacts, task
from headway.tasks.classification_targets import found_problem, text_labels, text_target, told
from headway.tasks.entity_targets import word_labels, word_target
from headway.tasks.question_targets import answer_span, tokens_of
from headway.tasks.question_windows import read_contexts


def facts(tokenizer, **settings):
    return ModelFacts(tokenizer=tokenizer, config=family("bert").config(max_position_embeddings=41, **settings))


THREE = {"id2label": {0: "dog", 1: "cat", 2: "song"}}
SEVERAL = {"problem_type": "multi_label_classification"}


@pytest.mark.parametrize(
    ("settings", "value", "expected"),
    [
        pytest.param(THREE, "cat", 1, id="a name"),
        pytest.param(THREE, 2, 2, id="a number"),
        pytest.param(THREE | SEVERAL, ["song", "dog"], (1.0, 0.0, 1.0), id="names"),
        pytest.param(THREE | SEVERAL, [], (0.0, 0.0, 0.0), id="none"),
        pytest.param(THREE | SEVERAL, "cat, song", (0.0, 1.0, 1.0), id="names with commas"),
        pytest.param(THREE | SEVERAL, np.array([0, 1, 1]), (0.0, 1.0, 1.0), id="one for each label"),
        pytest.param(THREE, ["cat"], (0.0, 1.0, 0.0), id="a list tells the problem"),
        pytest.param({"num_labels": 1}, "2.5", 2.5, id="a number as text"),
        pytest.param({"num_labels": 1, "problem_type": "regression"}, 3, 3.0, id="a whole number"),
    ],
)
def test_a_text_has_the_target_of_its_label(tiny_tokenizer, settings, value, expected):
    found = facts(tiny_tokenizer, **settings)
    target = text_target(value, found)
    assert target == expected
    assert type(target) is type(expected)
    if not isinstance(value, list | np.ndarray) or settings.get("problem_type"):
        assert text_target(told(target, found)["label"], found) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 1], "single_label_classification"),
        (["1.0", "2.0", "3.00"], "single_label_classification"),
        ([1.0, math.nan, 2.0], "single_label_classification"),
        (["0.5", "good"], "single_label_classification"),
        (["0.5", "-1", "", None], "regression"),
        ([3.8, 5.0, math.nan], "regression"),
        ([["a"], [], None], "multi_label_classification"),
        ([np.array([0, 1])], "multi_label_classification"),
    ],
)
def test_the_label_column_tells_what_is_learnt(values, expected):
    assert found_problem(values) == expected


@pytest.mark.parametrize(
    ("values", "problem", "expected"),
    [
        ([["b", "a"], [], ["c"]], None, Labels(("a", "b", "c"), "multi_label_classification")),
        (["b,a", "c"], "multi_label_classification", Labels(("a", "b", "c"), "multi_label_classification")),
        ([[0, 1, 1], [1, 0, 0]], None, Labels(("LABEL_0", "LABEL_1", "LABEL_2"), "multi_label_classification")),
        ([[2, 0], [1, 3]], None, Labels(("0", "1", "2", "3"), "multi_label_classification")),
        ([1, 2, 3], "regression", Labels(("LABEL_0",), "regression")),
        ([0.5, 1.5], None, Labels(("LABEL_0",), "regression")),
        (["neg", "pos"], None, Labels(("neg", "pos"), "single_label_classification")),
    ],
)
def test_labels_are_named_by_the_data(values, problem, expected):
    assert text_labels([{"label": value} for value in values], problem) == expected


def test_a_problem_that_is_none_is_refused():
    with pytest.raises(
        ConfigError, match=r"problem_type is 'ranking', which is not known here\. Use single_label_classification"
    ):
        text_labels([{"label": 1}], "ranking")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["I-PER", "O", "B-PER"], ["B-LOC"], None], ("O", "B-LOC", "B-PER", "I-PER")),
        ([["S-X", "B-X", "E-X", "I-X"], ["O"]], ("O", "B-X", "I-X", "E-X", "S-X")),
        ([["NOUN", "VERB"], ["ADJ"]], ("ADJ", "NOUN", "VERB")),
        ([np.array([0, 3]), [-100, 1]], ("0", "1", "2", "3")),
    ],
)
def test_tags_are_sorted_by_kind_and_numbers_stand_for_as_many_as_there_are(rows, expected):
    assert word_labels([{"labels": row} for row in rows], None) == Labels(expected)


def test_rows_without_a_single_tag_are_refused():
    with pytest.raises(DataError, match="There are no labels to learn from"):
        word_labels([{"labels": None}, {"labels": []}], None)


@pytest.mark.parametrize(
    ("label", "expected"), [("b", 1), (0, 0), (np.int64(1), 1), (-100, -100), (None, -100), (math.nan, -100)]
)
def test_a_word_s_label_is_a_name_or_a_number_or_nothing(label, expected):
    assert word_target(label, ["a", "b"]) == expected


def test_a_word_s_first_token_has_its_label_and_words_beyond_the_limit_are_left_out(tiny_tokenizer):
    found = facts(tiny_tokenizer, id2label={0: "O", 1: "B-X", 2: "I-X"})
    tagger = task("token-classification")
    prepared = tagger.prepare(found, tagger.choose({**tagger.evaluation.options, "max_length": 11}))
    words, labels = ["the", "zebra", "dog", "cat", "ox", "a"], ["O", 1, "I-X", -100, "B-X", "O"]
    (encoded,) = prepared.encode([{"words": words}])
    (example,) = tagger.trainable().examples(encoded, {"labels": labels}, found)
    assert example.sequences == encoded.sequences
    # [CLS] the z ##e ##b ##r ##a dog cat o [SEP]
    assert example.target == [-100, 0, 1, -100, -100, -100, -100, 2, -100, 1, -100]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"text": ["dog"], "answer_start": [12]}, (12, 15)),
        ({"text": ["dog", "the"], "answer_start": np.array([4, 0])}, (4, 7)),
        ([{"text": "dog", "answer_start": 4}, {"text": "dog", "answer_start": 12}], (4, 7)),
        ({"text": "dog", "answer_start": 12}, (12, 15)),
        ("the dog", (0, 7)),
        (["a"], (8, 9)),
        ({"text": [], "answer_start": []}, None),
        ([], None),
    ],
)
def test_an_answer_stands_where_it_is_said_to_or_the_only_time(answers, expected):
    assert answer_span(answers, "the dog a b dog") == expected


def test_the_tokens_of_an_answer_are_found_in_each_window_that_holds_them_all(tiny_tokenizer):
    found, chance = facts(tiny_tokenizer), random.Random(3)
    answering = task("question-answering")
    prepared = answering.prepare(found, answering.choose({"max_length": 17, "stride": 5}))
    seen = set()
    for _ in range(61):
        words = chance.choices(["the", "zebra", "dog", "cat,", "not"], k=chance.randint(1, 23))
        first = chance.randrange(len(words))
        last = min(len(words) - 1, first + chance.randrange(3))
        context, start = " ".join(words), len(" ".join([*words[:first], ""]))
        answer = " ".join(words[first : last + 1])
        (encoded,) = prepared.encode([{"question": "what is it ?", "context": context}])
        reference = {"answers": {"text": [answer], "answer_start": [start]}}
        examples = answering.trainable().examples(encoded, reference, found)
        assert [example.sequences for example in examples] == [(sequence,) for sequence in encoded.sequences]
        wanted = tiny_tokenizer(answer, add_special_tokens=False)["input_ids"]
        for example in examples:
            (sequence,), (begin, end) = example.sequences, example.target
            held = list(sequence.ids[begin : end + 1])
            assert held == wanted or (begin, end) == (0, 0)
            seen.add((begin, end) == (0, 0))
        is_short = len(wanted) <= 5  # shared by neighbouring windows, so that one of them holds it whole
        assert not is_short or any(example.target != (0, 0) for example in examples)
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(3, 4, (1, 1)), (0, 3, (0, 0)), (0, 4, (0, 1)), (5, 8, (2, 2)), (4, 6, (2, 2))]
)
def test_an_answer_s_tokens_are_those_that_hold_any_of_its_characters(tiny_tokenizer, start, end, expected):
    passage = read_contexts(["cat! dog"], tiny_tokenizer)["cat! dog"].passage
    assert tokens_of(passage, start, end) == expected


def test_an_answer_without_a_token_is_refused(tiny_tokenizer):
    passage = read_contexts(["cat  dog"], tiny_tokenizer)["cat  dog"].passage
    with pytest.raises(DataError, match=r"The answer ' ' has no token that the model reads.*Correct or remove the row"):
        tokens_of(passage, 3, 4)


def test_a_question_without_an_answer_learns_the_first_token(tiny_tokenizer):
    found, answering = facts(tiny_tokenizer), task("question-answering")
    prepared = answering.prepare(found, answering.choose({}))
    encoded = prepared.encode([{"question": "what ?", "context": "the dog"}])[0]
    assert isinstance(encoded, Encoded)
    (example,) = answering.trainable().examples(encoded, {"answers": {"text": [], "answer_start": []}}, found)
    assert example.target == (0, 0)
