from enum import Enum

import numpy as np
import pytest

from headway.core.batching import TokenSequence
from headway.errors import ConfigError, InputError, TaskError
from headway.families import family
from headway.tasks import Call, Encoded, ModelFacts, task

TASK = task("text-classification")
LOGITS = np.log(np.array([1, 5, 4], np.float32))  # softmax 0.1, 0.5, 0.4


def prepared(tokenizer, *, config=None, **options):
    config = {"id2label": {0: "bad", 1: "good", 2: "fine"}} | (config or {})
    facts = ModelFacts(tokenizer=tokenizer, config=family("bert").config(max_position_embeddings=11, vocab_size=101, **config))
    return TASK.prepare(facts, TASK.choose(options))


def answer(tokenizer, *, logits=LOGITS, config=None, **options):
    ready, encoded = prepared(tokenizer, config=config, **options), Encoded((TokenSequence([2, 3]),))
    return ready.decode([ready.reduce({"logits": logits}, encoded, part=0)], encoded)


def test_the_best_label_comes_with_its_share(tiny_tokenizer):
    assert answer(tiny_tokenizer) == [{"label": "good", "score": pytest.approx(0.5)}]


def test_top_k_labels_come_best_first(tiny_tokenizer):
    assert [found["label"] for found in answer(tiny_tokenizer, top_k=2)] == ["good", "fine"]
    assert [found["label"] for found in answer(tiny_tokenizer, top_k=None)] == ["good", "fine", "bad"]
    assert len(answer(tiny_tokenizer, top_k=99)) == 3


@pytest.mark.parametrize(
    ("config", "options", "expected"),
    [
        pytest.param({}, {}, 0.5, id="several labels: softmax"),
        pytest.param({"problem_type": "multi_label_classification"}, {}, 5 / 6, id="labels that exclude nothing: sigmoid"),
        pytest.param({"problem_type": "regression"}, {}, np.log(5), id="regression: the value itself"),
        pytest.param({"problem_type": "regression"}, {"function_to_apply": "softmax"}, 0.5, id="the caller wins"),
        pytest.param({}, {"function_to_apply": "none"}, np.log(5), id="none"),
        pytest.param({}, {"function_to_apply": "sigmoid"}, 5 / 6, id="sigmoid"),
    ],
)
def test_scores_follow_the_problem_type(tiny_tokenizer, config, options, expected):
    assert answer(tiny_tokenizer, config=config, **options)[0]["score"] == pytest.approx(expected, rel=1e-6)


def test_a_single_label_is_a_sigmoid(tiny_tokenizer):
    found = answer(tiny_tokenizer, logits=np.log(np.array([3.0])), config={"id2label": {0: "score"}})
    assert found == [{"label": "score", "score": pytest.approx(0.75)}]


@pytest.mark.parametrize(
    ("call", "count", "expected"),
    [
        pytest.param(Call("text"), 1, ["g"], id="a lone text's label comes in a list"),
        pytest.param(Call("item"), 1, "g", id="a lone pair's does not"),
        pytest.param(Call("list"), 2, ["g", "g"], id="a list of texts"),
        pytest.param(Call("text", frozenset({"top_k"}), frozenset({"top_k"})), 1, [["g"]], id="top_k at the call"),
        pytest.param(Call("text", frozenset(), frozenset({"top_k"})), 1, [[["g"]]], id="top_k at the pipeline nests once more"),
        pytest.param(Call("list", frozenset({"top_k"}), frozenset({"top_k"})), 2, [["g"], ["g"]], id="top_k for a list"),
    ],
)
def test_answers_nest_as_in_transformers(tiny_tokenizer, call, count, expected):
    ready = prepared(tiny_tokenizer)
    found = ready.present([["g"]] * count, call)
    assert found == expected or found == expected[0]


def test_texts_and_pairs_may_stand_together(tiny_tokenizer):
    items = ["a film", {"text": "good", "text_pair": "bad"}, {"text": "this"}]
    lone, pair, other = [found.sequences[0] for found in prepared(tiny_tokenizer).encode(items)]
    words = [tiny_tokenizer.convert_ids_to_tokens(list(tokens.ids)) for tokens in (lone, pair, other)]
    assert words == [["[CLS]", "a", "film", "[SEP]"], ["[CLS]", "good", "[SEP]", "bad", "[SEP]"], ["[CLS]", "this", "[SEP]"]]
    assert (lone.type_ids, pair.type_ids, other.type_ids) == (None, [0, 0, 0, 1, 1], None)


def test_a_long_text_keeps_its_beginning(tiny_tokenizer):
    tokens = prepared(tiny_tokenizer).encode(["a film " * 100])[0].sequences[0]
    assert tiny_tokenizer.decode(list(tokens.ids)) == "[CLS] " + "a film " * 4 + "a [SEP]"  # 11 positions


def test_a_long_pair_loses_from_its_longer_text(tiny_tokenizer):
    tokens = prepared(tiny_tokenizer).encode([{"text": "good bad", "text_pair": "film " * 100}])[0].sequences[0]
    assert tiny_tokenizer.decode(list(tokens.ids)) == "[CLS] good bad [SEP] " + "film " * 6 + "[SEP]"


def test_overflow_error_refuses_a_long_text_and_says_the_lengths(tiny_tokenizer):
    with pytest.raises(InputError, match='A text has 202 tokens, but the model reads at most 11, and overflow="error"'):
        prepared(tiny_tokenizer, overflow="error").encode(["good", "a film " * 100])
    assert len(prepared(tiny_tokenizer, overflow="error").encode(["a film " * 4])[0].sequences[0]) == 10


def test_max_length_may_be_less_than_the_models_limit_but_not_more(tiny_tokenizer):
    long = ["a film " * 100]
    assert len(prepared(tiny_tokenizer, max_length=5).encode(long)[0].sequences[0]) == 5
    assert len(prepared(tiny_tokenizer, max_length=500).encode(long)[0].sequences[0]) == 11


def test_options_of_transformers_tokenizers_are_understood(tiny_tokenizer):
    assert TASK.choose({"truncation": True, "padding": True, "max_length": 7}) == TASK.choose({"max_length": 7})
    assert TASK.choose({"truncation": False}) == TASK.choose({"overflow": "error"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"topk": 2},
            r"text-classification has no option 'topk'. Its options are max_length, overflow, stride, count_dropped, top_k",
            id="name",
        ),
        pytest.param({"top_k": 0}, r"top_k is 0, but it counts answers", id="zero"),
        pytest.param({"top_k": "2"}, r"top_k is '2', but it counts answers", id="text"),
        pytest.param(
            {"function_to_apply": "relu"},
            r"function_to_apply is 'relu', which is no choice of this task's; known are none, sigmoid, softmax",
            id="function",
        ),
        pytest.param(
            {"overflow": "windows"},
            r"overflow is 'windows', which is no choice of this task's; known are truncate, window, error",
            id="overflow",
        ),
    ],
)
def test_a_wrong_option_names_the_right_ones(options, message):
    with pytest.raises(TaskError, match=message):
        TASK.choose(options)


@pytest.mark.parametrize("length", [0, 2, "9", True, 7.0])
def test_a_length_that_is_none_is_refused(tiny_tokenizer, length):
    with pytest.raises(ValueError, match=r"max_length is .*, but a text needs room for two special tokens"):
        prepared(tiny_tokenizer, max_length=length)


def test_a_pair_with_an_empty_second_text_is_a_pair_as_in_training(tiny_tokenizer):
    (encoded,) = prepared(tiny_tokenizer).encode([{"text": "good", "text_pair": ""}])
    assert encoded.sequences[0].type_ids == [0, 0, 0, 1]
    (alone,) = prepared(tiny_tokenizer).encode([{"text": "good", "text_pair": None}])
    assert alone.sequences[0].type_ids is None


def test_a_long_text_can_be_read_in_windows_that_share_tokens(tiny_tokenizer):
    text = "a film good bad " * 6  # 24 tokens; 9 of them fit beside [CLS] and [SEP]
    (encoded,) = prepared(tiny_tokenizer, overflow="window", stride=4).encode([text])
    whole = tiny_tokenizer.encode(text)[1:-1]
    assert [len(window) for window in encoded.sequences] == [11, 11, 11, 11]
    assert [list(window.ids[1:-1]) for window in encoded.sequences] == [whole[start : start + 9] for start in (0, 5, 10, 15)]
    assert encoded.tokens == 44


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        pytest.param("mean", [("good", 0.55), ("fine", 0.25), ("bad", 0.2)], id="mean"),
        pytest.param("max", [("good", 0.6), ("fine", 0.4), ("bad", 0.3)], id="max"),
        pytest.param("first", [("good", 0.5), ("fine", 0.4), ("bad", 0.1)], id="first"),
    ],
)
def test_windows_are_joined_as_asked(tiny_tokenizer, join, expected):
    ready = prepared(tiny_tokenizer, overflow="window", join=join, top_k=None)
    encoded = Encoded((TokenSequence([2, 3]), TokenSequence([2, 5, 3])))
    second = np.log(np.array([3, 6, 1], np.float32))  # softmax 0.3, 0.6, 0.1
    parts = [ready.reduce({"logits": logits}, encoded, part=place) for place, logits in enumerate((LOGITS, second))]
    found = ready.decode(parts, encoded)
    assert [(one["label"], pytest.approx(one["score"])) for one in found] == expected


def test_tokens_left_out_are_counted_where_that_is_asked_for(tiny_tokenizer):
    items = ["a film " * 10, "good", {"text": "good bad", "text_pair": "film " * 100}]
    assert [found.dropped for found in prepared(tiny_tokenizer, count_dropped=True).encode(items)] == [11, 0, 94]
    assert [found.dropped for found in prepared(tiny_tokenizer).encode(items)] == [0, 0, 0]
    with pytest.raises(InputError, match=r"A text has 22 tokens, but the model reads at most 11"):
        prepared(tiny_tokenizer, count_dropped=True, overflow="error").encode(items)


@pytest.mark.parametrize("stride", [-1, 1.5, True, "4"])
def test_a_stride_that_counts_no_tokens_is_refused(tiny_tokenizer, stride):
    with pytest.raises(ConfigError, match=r"stride is .*, but it counts the tokens that windows share"):
        prepared(tiny_tokenizer, overflow="window", stride=stride).encode(["good"])


def test_answers_become_rows(tiny_tokenizer):
    one, all_of_them = prepared(tiny_tokenizer), prepared(tiny_tokenizer, top_k=None)
    answer = [{"label": "good", "score": 0.5}]
    assert one.row(answer) == {"label": "good", "score": 0.5}
    assert [column.name for column in one.columns] == ["label", "score"]
    assert all_of_them.row(answer) == {"labels": answer}
    assert [(column.name, column.depth) for column in all_of_them.columns] == [("labels", 1)]


@pytest.mark.parametrize("name", ["Softmax", "SOFTMAX", Enum("Function", {"SOFTMAX": "softmax"}).SOFTMAX], ids=str)
def test_a_function_may_be_in_capitals_or_an_enumerations(tiny_tokenizer, name):
    assert answer(tiny_tokenizer, config={"problem_type": "regression"}, function_to_apply=name)[0]["score"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        pytest.param({"return_all_scores": True}, ["bad", "good", "fine"], id="in the model's order"),
        pytest.param({"return_all_scores": False}, ["good"], id="the best"),
        pytest.param({"return_all_scores": True, "top_k": 2}, ["good", "fine"], id="top_k wins"),
        pytest.param({"return_all_scores": None, "top_k": None}, ["good", "fine", "bad"], id="not said"),
    ],
)
def test_all_scores_may_be_asked_for_in_the_old_way(tiny_tokenizer, options, labels):
    assert [found["label"] for found in answer(tiny_tokenizer, **options)] == labels


def test_windows_of_a_pair_hold_a_part_of_each_text_and_meet_all_of_both(tiny_tokenizer):
    """Eight tokens of text in a window, four of each; one of them is shared: three windows of each text, so nine of both."""
    first, second = "film " * 9, "dog " * 8
    (encoded,) = prepared(tiny_tokenizer, overflow="window").encode([{"text": first, "text_pair": second}])
    film, dog = (tiny_tokenizer.get_vocab()[word] for word in ("film", "dog"))
    assert sorted(map(len, encoded.sequences)) == [8, 9, 9, 10, 10, 11, 11, 11, 11]
    for window in encoded.sequences:
        ids, types = list(window.ids), list(window.type_ids)
        assert film in ids
        assert dog in ids
        assert [kind for token, kind in zip(ids, types, strict=True) if token == dog] == [1] * ids.count(dog)
    (short,) = prepared(tiny_tokenizer, overflow="window").encode([{"text": "film", "text_pair": "dog"}])
    assert short == prepared(tiny_tokenizer).encode([{"text": "film", "text_pair": "dog"}])[0]


@pytest.mark.parametrize(
    ("truncation", "lengths", "kept"),
    [("longest_first", (9, 9), (4, 4)), ("only_first", (9, 7), (1, 7)), ("only_second", (7, 9), (7, 1))],
)
def test_which_text_of_a_pair_is_cut_may_be_said(tiny_tokenizer, truncation, lengths, kept):
    """Eleven positions, three of them special: eight tokens for two texts."""
    item = {"text": "good " * lengths[0], "text_pair": "bad " * lengths[1]}
    (found,) = prepared(tiny_tokenizer, truncation=truncation).encode([item])
    words = tiny_tokenizer.decode(list(found.sequences[0].ids), skip_special_tokens=True).split()
    assert (words.count("good"), words.count("bad")) == kept
    (counted,) = prepared(tiny_tokenizer, truncation=truncation, count_dropped=True).encode([item])
    assert (counted.sequences, counted.dropped) == (found.sequences, sum(lengths) - 8)
    (alone,) = prepared(tiny_tokenizer, truncation=truncation).encode(["good " * 20])
    assert len(alone.sequences[0]) == 11


def test_windows_of_the_first_text_alone_hold_the_whole_second_one(tiny_tokenizer):
    item = {"text": "good " * 20, "text_pair": "bad film"}
    (found,) = prepared(tiny_tokenizer, overflow="window", shorten="only_first", stride=2).encode([item])
    decoded = [tiny_tokenizer.decode(list(window.ids)) for window in found.sequences]
    assert all(text.endswith("[SEP] bad film [SEP]") for text in decoded)
    assert [text.count("good") for text in decoded] == [6, 6, 6, 6, 4]


def test_a_text_that_must_not_be_cut_and_fills_the_model_is_refused(tiny_tokenizer):
    with pytest.raises(InputError, match=r"only_first|room|first"):
        prepared(tiny_tokenizer, truncation="only_first").encode([{"text": "good", "text_pair": "bad " * 20}])
