"""Any text, any length, any mix of options, any form of call: an answer in range and in order, or a refusal in words."""

import json
import math
from collections import deque

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway import pipeline
from headway.errors import HeadwayError

MASK = "[MASK]"
ENDURING = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

anything = st.text(st.characters(codec=None), max_size=60)
words = st.lists(st.sampled_from(["good", "bad", "film", "[SEP]", "[PAD]", "##ly", "x" * 300, " ", "\ud800"]), max_size=70)
texts = anything | words.map(" ".join)
masked = st.lists(st.one_of(texts, st.just(MASK)), min_size=1, max_size=5).map("".join)
common = {
    "overflow": st.sampled_from(["truncate", "window", "error"]),
    "max_length": st.none() | st.integers(3, 60),
    "stride": st.none() | st.integers(0, 50),
    "count_dropped": st.booleans(),
    "padding": st.sampled_from([True, False, "max_length"]),
}
classification = st.fixed_dictionaries(
    {},
    optional={
        **common,
        "top_k": st.none() | st.integers(1, 7),
        "function_to_apply": st.sampled_from([None, "softmax", "sigmoid", "none", "Softmax"]),
        "join": st.sampled_from(["mean", "max", "first"]),
        "return_all_scores": st.booleans(),
    },
)
filling = st.fixed_dictionaries(
    {}, optional={**common, "top_k": st.none() | st.integers(1, 200), "targets": st.lists(texts, max_size=3) | texts}
)
pairs = st.fixed_dictionaries({"text": texts}, optional={"text_pair": st.none() | texts})
odd = st.sampled_from([None, 3, 2.5, math.nan, b"good", True, [], ["good"], ("a", "b"), {}, {"text": 3}, {"text": "a", "x": 1}])
forms = st.sampled_from([list, tuple, iter, deque, lambda items: np.array(items, dtype=object), lambda items: (i for i in items)])


@pytest.fixture(scope="module", params=["softmax", "regression"])
def classify(request, model_folder):
    settings = {"num_labels": 3} if request.param == "softmax" else {"num_labels": 1, "problem_type": "regression"}
    return pipeline("text-classification", model_folder("sequence-classification", **settings))


@pytest.fixture(scope="module")
def fill(model_folder):
    return pipeline("fill-mask", model_folder("masked-lm"))


def answered(pipe, items, options):
    """The plain answers, or None where the call was refused in words."""
    try:
        found = list(pipe.stream(items, **options))
    except HeadwayError:
        return None
    assert len(found) == len(items)
    assert all(one.tokens > 0 and one.dropped >= 0 for one in found)
    return [one.answer for one in found]


@ENDURING
@given(st.lists(texts | pairs, min_size=1, max_size=4), classification)
def test_text_classification(classify, items, options):
    for answer in answered(classify, items, options) or []:
        assert json.loads(json.dumps(answer)) == answer
        assert 1 <= len(answer) <= 3
        for label in answer:
            assert label["label"] in classify.config.id2label.values()
            assert math.isfinite(label["score"])
            if classify.config.num_labels > 1 and options.get("function_to_apply") != "none":
                assert -1e-6 <= label["score"] <= 1 + 1e-6
    if options.get("overflow") in (None, "truncate"):
        assert answered(classify, items, options) is not None  # what fits, or can be cut, is never refused


@ENDURING
@pytest.mark.filterwarnings("ignore:The target ")
@given(st.lists(masked, min_size=1, max_size=3), filling)
def test_fill_mask(fill, items, options):
    for text, answer in zip(items, answered(fill, items, options) or [], strict=False):
        masks = [answer] if isinstance(answer[0], dict) else answer
        assert len(masks) <= text.count(MASK)
        assert len(masks) == text.count(MASK) or options.get("overflow", "truncate") == "truncate"
        for fillings in masks:
            scores = [one["score"] for one in fillings]
            assert scores == sorted(scores, reverse=True)
            assert 0 <= min(scores) <= max(scores) <= 1 + 1e-6
            assert all(0 <= one["token"] < 101 and isinstance(one["sequence"], str) for one in fillings)


@ENDURING
@given(st.lists(texts | pairs | odd, max_size=5), forms)
def test_forms_of_calls(classify, items, form):
    try:
        answers = list(classify(form(items)))
    except HeadwayError:
        return
    assert len(answers) == len(items)
    assert all(isinstance(item, str | dict) for item in items)


@ENDURING
@given(odd | texts | pairs, st.dictionaries(st.text(max_size=8), odd, max_size=2))
def test_lone_inputs_with_any_options(classify, item, options):
    try:
        found = classify(item, **options)
    except HeadwayError:
        return
    assert found == [] or isinstance(found, list | dict)
