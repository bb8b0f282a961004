"""Any text, or words, with any mixture of options, for tokenizers of every kind: an answer that holds together, or our error."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import pipeline
from headway.errors import HeadwayError
from headway.tasks.entities import Tag, tag
from tasks.entity_models import LABELS, save_model

CHARACTERS = st.characters(exclude_categories=()) | st.sampled_from(" \t\n\u00a0\u200d\ufe0f\u0301\u3000\ud800\x00az漢ı\u0600▁")
PARTS = [
    "[MASK]",
    "<mask>",
    "</s>",
    "[SEP]",
    "John",
    " Smith",
    "  ",
    "\U0001f468\u200d\U0001f469",
    "é",
    "e\u0301",
    "##s",
    ",",
    "\n",
]
TEXTS = st.text(CHARACTERS, max_size=30) | st.lists(st.sampled_from(PARTS), max_size=60).map("".join)
ITEMS = TEXTS | st.fixed_dictionaries({"words": st.lists(TEXTS, max_size=9)})
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "aggregation_strategy": st.sampled_from(["none", "simple", "first", "average", "max"]),
        "ignore_labels": st.sampled_from([[], ["O"], ["PER", "I-PER"], ["O", "B-LOC", "LOC", "ORG"]]),
        "overflow": st.sampled_from(["truncate", "window", "error"]),
        "stride": st.none() | st.integers(0, 9),
        "max_length": st.none() | st.integers(3, 50),
        "scheme": st.sampled_from(["auto", "BIO", "IOB1", "BIOES", "IO"]),
        "decoding": st.sampled_from(["argmax", "constrained"]),
        "delimiter": st.sampled_from(["", " ", "\u3000--"]),
        "each_word": st.booleans(),
        "count_dropped": st.booleans(),
    },
)


@pytest.fixture(scope="module", params=["distilbert", "roberta", "deberta-v2"])
def ready(request, tmp_path_factory):
    return pipeline("ner", save_model(tmp_path_factory.mktemp(request.param), request.param))


@settings(max_examples=150)
@given(items=st.lists(ITEMS, min_size=1, max_size=3), options=OPTIONS)
def test_entities_lie_in_the_text_in_order_with_scores_between_0_and_1(ready, items, options):
    try:
        answers = ready(items, **options)
    except HeadwayError:
        return
    assert len(answers) == len(items)
    assert json.loads(json.dumps(answers)) == answers
    for item, answer in zip(items, answers, strict=True):
        text = item if isinstance(item, str) else options.get("delimiter", " ").join(item["words"])
        if not isinstance(item, str) and options.get("each_word"):
            assert [word["word"] for word in answer] == item["words"]
        check(answer, text, options)


def check(answer, text, options):
    place = 0
    for entity in answer:
        score, start, end = entity["score"], entity["start"], entity["end"]
        assert (score is None and options.get("each_word")) or 0 <= score <= 1
        assert 0 <= place <= start <= end <= len(text)
        place = start
        if "entity_group" in entity:
            assert text[start:end].strip() == text[start:end] != ""
        assert entity.get("entity", "O") in LABELS


@settings(max_examples=60)
@given(text=TEXTS)
def test_constrained_labels_keep_the_scheme_and_windows_change_nothing_of_short_texts(ready, text):
    found = ready(text, decoding="constrained", each_word=True, overflow="window")
    before = Tag("", "O")
    for label in (word["entity"] for word in found):
        now = tag(label, "BIO")
        assert now.prefix != "I" or (before.kind == now.kind and before.prefix != "")
        before = now
    if len(ready.tokenizer(text)["input_ids"]) <= 41:
        assert ready(text, overflow="window") == ready(text)
