"""Zero-shot classification against transformers' pipeline: the same labels in the same order with the same scores."""

import json

import pytest
import transformers

import headway
from headway.errors import InputError
from reference.hard_texts import HARD
from reference.pair_models import FAMILIES, make_folder, make_minilm

NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}
TEXTS = ["A film about two dogs and a cat.", "boring", "Zürich, the “old” Café – £4.50!", "the dogs of the old town " * 20]
LABELS = ["sport", "politics", "very old animals in films", "Café"]


def pipelines(folder, **options):
    ours = headway.pipeline("zero-shot-classification", folder, precision="fp32", **options)
    theirs = transformers.pipeline("zero-shot-classification", str(folder), framework="pt", device="cpu", **options)
    return ours, theirs


@pytest.fixture(scope="module", params=FAMILIES)
def both(request, tmp_path_factory):
    """Our pipeline and theirs on one folder."""
    return pipelines(make_folder(tmp_path_factory.mktemp("nli"), request.param, num_labels=3, id2label=NLI))


def assert_same(ours, theirs, tolerance=1e-4):
    """Equal but for the rounding of scores; labels whose scores are as good as equal may change places."""
    assert type(ours) is type(theirs)
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_same(our, their, tolerance)
        return
    assert ours.keys() == theirs.keys()
    assert ours["sequence"] == theirs["sequence"]
    assert ours["scores"] == pytest.approx(theirs["scores"], abs=tolerance)
    assert dict(zip(ours["labels"], ours["scores"], strict=True)) == pytest.approx(
        dict(zip(theirs["labels"], theirs["scores"], strict=True)), abs=tolerance
    )
    apart = all(high - low > 1e-6 for high, low in zip(theirs["scores"], theirs["scores"][1:], strict=False))
    assert ours["labels"] == theirs["labels"] or not apart


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"candidate_labels": LABELS}, id="exclusive"),
        pytest.param({"candidate_labels": LABELS, "multi_label": True}, id="several"),
        pytest.param({"candidate_labels": "sport, politics,, Café ,"}, id="text with commas"),
        pytest.param({"candidate_labels": "sport"}, id="one label"),
        pytest.param({"candidate_labels": ["sport"], "multi_label": True}, id="one of several"),
        pytest.param({"candidate_labels": LABELS, "hypothesis_template": "{}: that is it, {{so}}!"}, id="template"),
        pytest.param({"candidate_labels": LABELS, "multi_class": True}, id="old name"),
    ],
)
def test_answers_are_those_of_transformers(both, options):
    ours, theirs = both
    for inputs in (TEXTS[0], TEXTS, TEXTS[:1], []):
        assert_same(ours(inputs, **options), theirs(inputs, **options))


def test_labels_may_come_by_position_and_texts_by_name(both):
    ours, theirs = both
    assert_same(ours(TEXTS, LABELS), theirs(TEXTS, LABELS))
    assert_same(ours(sequences=TEXTS[0], candidate_labels=LABELS), theirs(sequences=TEXTS[0], candidate_labels=LABELS))
    assert_same(
        list(ours((text for text in TEXTS), candidate_labels=LABELS)),
        list(theirs((text for text in TEXTS), candidate_labels=LABELS)),
    )


def test_hard_texts_are_answered_as_by_transformers(both):
    ours, theirs = both
    texts = [text for text in HARD if text]  # transformers refuses an empty one
    assert_same(ours(texts, LABELS), theirs(texts, LABELS))


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(["entailment", "neutral", "contradiction"], id="entailment first"),
        pytest.param(["contradiction", "entailment", "neutral"], id="entailment between"),
        pytest.param(["neutral", "contradiction", "ENTAILED"], id="contradiction between"),
        pytest.param(["entailment", "not_entailment"], id="two labels"),
        pytest.param(["not_entailment", "entailment"], id="two labels, entailment last"),
    ],
)
def test_labels_of_the_model_in_any_order(tmp_path, labels):
    ours, theirs = pipelines(make_folder(tmp_path, "bert", num_labels=len(labels), id2label=dict(enumerate(labels))))
    for options in ({}, {"multi_label": True}):
        assert_same(ours(TEXTS, LABELS, **options), theirs(TEXTS, LABELS, **options))


@pytest.mark.filterwarnings("ignore:None of this model's labels:UserWarning")
def test_without_a_label_for_entailment_the_last_is_taken(tmp_path):
    ours, theirs = pipelines(make_folder(tmp_path, "bert", num_labels=3))
    for options in ({}, {"multi_label": True}):
        assert_same(ours(TEXTS, LABELS, **options), theirs(TEXTS, LABELS, **options))


def test_options_given_to_the_pipeline_hold_until_the_call_says_otherwise(both, tmp_path):
    folder = make_folder(tmp_path, "bert", num_labels=3, id2label=NLI)
    ours, theirs = pipelines(folder, candidate_labels=LABELS, hypothesis_template="It is {}.", multi_label=True)
    assert_same(ours(TEXTS), theirs(TEXTS))
    assert_same(ours(TEXTS, candidate_labels="a, b"), theirs(TEXTS, candidate_labels="a, b"))
    assert_same(ours(TEXTS, multi_label=False), theirs(TEXTS, multi_label=False))


def test_where_we_differ_on_purpose(both):
    """An empty text is a text; a label that leaves no room for one is said, where transformers reads beyond the model's end."""
    ours, theirs = both
    assert sum(ours("", LABELS)["scores"]) == pytest.approx(1)
    with pytest.raises(ValueError, match="at least one sequence"):
        theirs("", LABELS)
    with pytest.raises(InputError, match="so nothing of the text would be read"):
        ours(TEXTS[0], ["sport " * 50])
    with pytest.raises((ValueError, TypeError)):
        theirs(TEXTS[0], [])
    with pytest.raises(ValueError, match="There are no candidate labels"):
        ours(TEXTS[0], [])


def real_texts(data_folder):
    """Three hundred and five texts, short and not so short."""
    for name, count, longest in (("ag_news/test.jsonl", 5, 999), ("emotion/validation.jsonl", 300, 50)):
        lines = (data_folder / name).read_text(encoding="utf-8").splitlines()
        texts = [text for line in lines if len(text := json.loads(line)["text"]) <= longest]
        yield from texts[:: len(texts) // count][:count]


@pytest.mark.data
def test_real_texts_are_answered_as_by_transformers(data_folder, minilm_folder, tmp_path):
    ours, theirs = pipelines(make_minilm(tmp_path, minilm_folder, num_labels=3, id2label=NLI))
    texts = list(real_texts(data_folder))
    labels = ["joy", "sports and games"]
    assert len(texts) == 305
    expected = theirs(texts, labels, batch_size=32)
    assert_same(ours(texts, labels), expected)
    assert {answer["labels"][0] for answer in expected} == {*labels}
    assert_same(ours(texts[::20], labels, multi_label=True), theirs(texts[::20], labels, multi_label=True))
