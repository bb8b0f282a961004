"""Any texts, labels, queries and documents with any mixture of options: an answer that holds together, or Headway's own error."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import pipeline
from headway.errors import HeadwayError, InputError

CHARACTERS = st.characters(exclude_categories=()) | st.sampled_from(" \t\n\u00a0\u200d\ufe0f\u0301\u3000\ud800\x00az漢ı{},")
WORDS = ["the", " dog ", "good", ", ", "[SEP]", "[MASK]", "##s", "e\u0301", "x" * 120, "{}", "\U0001f469\u200d\U0001f469"]
TEXTS = st.text(CHARACTERS, max_size=30) | st.lists(st.sampled_from(WORDS), max_size=90).map("".join)
LENGTHS = st.none() | st.integers(3, 45)
OVERFLOW = {
    "max_length": LENGTHS,
    "overflow": st.sampled_from(["truncate", "window", "error"]),
    "stride": st.none() | st.integers(0, 12),
    "count_dropped": st.booleans(),
    "join": st.sampled_from(["mean", "max", "first"]),
    "top_k": st.none() | st.integers(1, 4),
}
ZERO_SHOT = st.fixed_dictionaries(
    {
        "candidate_labels": TEXTS | st.lists(TEXTS, min_size=1, max_size=5) | st.lists(TEXTS, max_size=2),
        "hypothesis_template": st.sampled_from(["This example is {}.", "{}", "{0} or {0}", "{{{}}}", "\ud800 {}", "{", "so"]),
        "multi_label": st.booleans(),
    }
    | OVERFLOW
)
RANKING = st.fixed_dictionaries(
    {
        "return_documents": st.booleans(),
        "function_to_apply": st.sampled_from([None, "none", "sigmoid"]),
        "prompt": st.none() | TEXTS,
    }
    | OVERFLOW
)
NLI = {"num_labels": 3, "id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}}


def answered(pipe, items, **options):
    """The answers, or None where they are refused."""
    try:
        return list(pipe.stream(items, **options))
    except HeadwayError:
        return None


def test_zero_shot_answers_hold_together(model_folder):
    pipe = pipeline("zero-shot-classification", model_folder("sequence-classification", **NLI))

    @settings(max_examples=150)
    @given(texts=st.lists(TEXTS, min_size=1, max_size=3), options=ZERO_SHOT)
    def check(texts, options):
        found = answered(pipe, texts, **options)
        if found is None:
            return
        assert len(found) == len(texts)
        for text, one in zip(texts, found, strict=True):
            check_labels(text, one.answer, options)
            assert one.dropped >= 0

    check()


def check_labels(text, answer, options):
    labels = options["candidate_labels"]
    named = [part.strip() for part in labels.split(",") if part.strip()] if isinstance(labels, str) else labels
    count = min(len(named), options["top_k"] or len(named))
    assert answer["sequence"] == text
    assert len(answer["labels"]) == len(answer["scores"]) == count
    assert sorted(answer["labels"]) == sorted(named) or count < len(named)
    assert set(answer["labels"]) <= set(named)
    assert answer["scores"] == sorted(answer["scores"], reverse=True)
    assert all(0 <= score <= 1 for score in answer["scores"])
    if not options["multi_label"] and count == len(named) > 1 and options["join"] != "max":
        assert sum(answer["scores"]) == pytest.approx(1, abs=1e-5)
    assert json.loads(json.dumps(answer)) == answer


def test_rankings_hold_together(model_folder):
    pipe = pipeline("text-ranking", model_folder("sequence-classification", num_labels=1))
    queries = st.fixed_dictionaries({"query": TEXTS, "documents": st.lists(TEXTS, max_size=4)})

    @settings(max_examples=150)
    @given(items=st.lists(queries, min_size=1, max_size=3), options=RANKING)
    def check(items, options):
        found = answered(pipe, items, **options)
        if found is None:
            return
        assert len(found) == len(items)
        for item, one in zip(items, found, strict=True):
            check_ranking(item["documents"], one.answer, options)
            assert one.dropped >= 0

    check()


def check_ranking(documents, answer, options):
    scores, places = [one["score"] for one in answer], [one["corpus_id"] for one in answer]
    assert len(answer) == min(len(documents), options["top_k"] or len(documents))
    assert len(set(places)) == len(places)
    assert set(places) <= set(range(len(documents)))
    assert scores == sorted(scores, reverse=True)
    assert options["function_to_apply"] == "none" or all(0 <= score <= 1 for score in scores)
    texts = [documents[place] for place in places] if options["return_documents"] else [None] * len(places)
    assert [one.get("text") for one in answer] == texts
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize(
    "wrong", [None, 7, 2.5, b"a", ["a"], {"sentence": "a"}, {"query": "a"}, {"query": 1, "documents": ["a"]}]
)
def test_what_is_no_input_is_refused_beside_others(model_folder, wrong):
    ranker = pipeline("text-ranking", model_folder("sequence-classification", num_labels=1))
    with pytest.raises(InputError, match=r"^Input 1: "):
        ranker([{"query": "a", "documents": ["b"]}, wrong])
