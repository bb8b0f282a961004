"""Text classification against transformers' pipeline: four families, every option, hard texts, real texts."""

import itertools
import json
import warnings

import pytest
import transformers

import headway
from reference.comparing import assert_same
from reference.hard_texts import HARD
from reference.pair_models import FAMILIES, LIMIT, make_folder, make_minilm

TEXTS = ["A film about two dogs and a cat.", "boring", "Zürich, the “old” Café – £4.50!"]
PAIR = {"text": "A dog sleeps.", "text_pair": "It rests in the old town."}
KINDS = {
    "softmax": {"num_labels": 3},
    "multi-label": {"num_labels": 4, "problem_type": "multi_label_classification"},
    "one label": {"num_labels": 1},
    "regression": {"num_labels": 1, "problem_type": "regression"},
    "several numbers": {"num_labels": 3, "problem_type": "regression"},
}
OPTIONS = [
    *({"top_k": count} for count in (1, 2, None, 99)),
    *({"function_to_apply": name} for name in ("softmax", "SIGMOID", "none")),
    {"return_all_scores": True},
    {"return_all_scores": False},
    {"return_all_scores": True, "top_k": 2},
    {"return_all_scores": True, "function_to_apply": "sigmoid"},
    {"truncation": True, "max_length": 7},
    {"truncation": "longest_first", "max_length": 9, "padding": "max_length"},
    {"truncation": True, "padding": True, "batch_size": 2},
]
OLD_PAIR = [["A dog sleeps.", "It rests in the old town."]]
INPUTS = [
    TEXTS[0],
    TEXTS[:1],
    TEXTS,
    PAIR,
    [PAIR],
    [PAIR, {"text": TEXTS[0]}, {"text": "a", "text_pair": TEXTS[2]}],
    [OLD_PAIR, OLD_PAIR],
]


def pipelines(folder, **options):
    ours = headway.pipeline("text-classification", folder, precision="fp32", **options)
    return ours, transformers.pipeline("text-classification", str(folder), framework="pt", device="cpu", **options)


def theirs_quietly(call, *arguments, **options):
    """transformers' answer, without its warning of an old argument."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`return_all_scores` is now deprecated")
        return call(*arguments, **options)


@pytest.fixture(scope="module", params=[*itertools.product(FAMILIES, ["softmax"]), *(("bert", kind) for kind in KINDS)], ids=str)
def both(request, tmp_path_factory):
    """Our pipeline and theirs on one folder: each family, and one of them with each kind of labels."""
    family, kind = request.param
    return pipelines(make_folder(tmp_path_factory.mktemp("texts"), family, **KINDS[kind]))


@pytest.mark.parametrize("options", [{}, *OPTIONS], ids=str)
def test_answers_and_their_form_are_those_of_transformers_at_the_call(both, options):
    ours, theirs = both
    for inputs in INPUTS:
        assert_same(ours(inputs, **options), theirs_quietly(theirs, inputs, **options))


@pytest.mark.parametrize("strategy", ["longest_first", "only_first", "only_second"])
def test_pairs_are_cut_as_by_transformers(both, strategy):
    ours, theirs = both
    long, short = "two dogs and the old town " * 20, "a cat"
    pair = {"text": short, "text_pair": long} if strategy == "only_second" else {"text": long, "text_pair": short}
    for length in (17, LIMIT):
        options = {"truncation": strategy, "max_length": length}
        assert_same(ours([pair, pair], **options), theirs([pair, pair], **options))


@pytest.mark.parametrize("kind", ["softmax", "multi-label"])
def test_options_of_the_pipeline_and_of_the_call_work_together_as_in_transformers(tmp_path, kind):
    folder = make_folder(tmp_path, "bert", **KINDS[kind])
    ours, theirs = pipelines(folder)
    choices = [{}, *({"top_k": count} for count in (1, 2, None)), {"return_all_scores": True}, {"function_to_apply": "none"}]
    for first, second in itertools.product(choices, repeat=2):
        if "top_k" in first and "return_all_scores" in second:
            continue  # the newer name wins here, the later one there
        ours_set = headway.Pipeline(ours._task, ours.engine, ours.tokenizer, **first)
        theirs_set = theirs_quietly(type(theirs), model=theirs.model, tokenizer=theirs.tokenizer, device="cpu", **first)
        for inputs in (TEXTS[0], TEXTS, PAIR):
            assert_same(ours_set(inputs, **second), theirs_quietly(theirs_set, inputs, **second))


def test_hard_texts_are_answered_as_by_transformers(both):
    ours, theirs = both
    assert_same(ours(HARD, top_k=None), theirs(HARD, top_k=None, truncation=True, max_length=LIMIT))


def test_a_generator_is_answered_item_by_item(both):
    ours, theirs = both
    for options in ({}, {"top_k": 2}):
        assert_same(list(ours((text for text in TEXTS), **options)), list(theirs((text for text in TEXTS), **options)))


def real_texts(data_folder):
    lines = (data_folder / "glue" / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines[:301]]
    return [row.get("sentence") or row["text"] for row in rows]


@pytest.mark.data
def test_real_texts_are_answered_as_by_transformers(data_folder, minilm_folder, tmp_path):
    ours, theirs = pipelines(make_minilm(tmp_path, minilm_folder, num_labels=3))
    texts = real_texts(data_folder)
    assert len(texts) == 301
    expected = theirs(texts, batch_size=32, top_k=None)
    assert_same(ours(texts, top_k=None), expected)
    assert len({answer[0]["label"] for answer in expected}) > 1
    pairs = [{"text": first, "text_pair": second} for first, second in itertools.pairwise(texts[:21])]
    assert_same(ours(pairs), theirs(pairs, batch_size=8))
