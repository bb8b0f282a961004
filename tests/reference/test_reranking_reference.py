"""Reranking against sentence-transformers' ``CrossEncoder``: the same documents in the same order with the same scores."""

import itertools
import json

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder

import headway
from headway.errors import TaskError
from reference.hard_texts import HARD
from reference.pair_models import FAMILIES, make_folder, make_minilm

QUERY = "Which animals are in the film?"
DOCUMENTS = [
    "A film about two dogs and a cat.",
    "boring",
    "Zürich, the “old” Café – £4.50!",
    "the dogs of the town " * 20,
    "",
    "Boring",
]
QUERIES = [QUERY, "cat", "", "what is there to be seen in the old town of Zürich " * 5]


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("reranker"), request.param, num_labels=1)


def both(folder, **options):
    return headway.pipeline("reranking", folder, precision="fp32", **options), CrossEncoder(str(folder), device="cpu")


def assert_same(ours, theirs, query, documents=DOCUMENTS, *, tolerance=1e-4, **options):
    """Equal but for the rounding of scores; documents whose scores are as good as equal may change places, at ``top_k`` too."""
    expected = theirs.rank(query, documents, **options)
    assert [one["score"] for one in ours] == pytest.approx([float(one["score"]) for one in expected], abs=tolerance)
    assert [set(one) for one in ours] == [set(one) for one in expected]
    scores = {one["corpus_id"]: float(one["score"]) for one in theirs.rank(query, documents, **{**options, "top_k": None})}
    for one in ours:
        assert one["score"] == pytest.approx(scores[one["corpus_id"]], abs=tolerance)
        assert one.get("text", documents[one["corpus_id"]]) == documents[one["corpus_id"]]
    order = [scores[one["corpus_id"]] for one in ours]
    assert all(first >= second - 1e-6 for first, second in itertools.pairwise(order))


@pytest.mark.parametrize("options", [{}, {"return_documents": True}, {"top_k": 2, "return_documents": True}], ids=str)
def test_rankings_are_those_of_sentence_transformers(folder, options):
    ours, theirs = both(folder)
    for query in QUERIES:
        assert_same(ours(query, DOCUMENTS, **options), theirs, query, **options)
    items = [{"query": query, "documents": DOCUMENTS} for query in QUERIES]
    for ranked, query in zip(ours(items, **options), QUERIES, strict=True):
        assert_same(ranked, theirs, query, **options)


def test_scores_of_hard_texts_are_those_of_sentence_transformers(folder):
    ours, theirs = both(folder)
    ranked = ours(HARD[5], HARD, function_to_apply="none")
    expected = theirs.predict([(HARD[5], text) for text in HARD], activation_fn=torch.nn.Identity(), batch_size=8)
    found = {one["corpus_id"]: one["score"] for one in ranked}
    assert [found[place] for place in range(len(HARD))] == pytest.approx(expected.tolist(), abs=1e-4)


def test_functions_named_by_the_caller_are_applied(folder):
    for name, function in (("none", torch.nn.Identity()), ("sigmoid", torch.nn.Sigmoid())):
        ours, theirs = both(folder, function_to_apply=name)
        assert_same(ours(QUERY, DOCUMENTS), theirs, QUERY, activation_fn=function)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, id="config"),
        pytest.param({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, id="old config"),
        pytest.param({"sbert_ce_default_activation_function": None, "problem_type": "regression"}, id="regression"),
    ],
)
def test_functions_named_by_the_configuration_are_applied(tmp_path, settings):
    ours, theirs = both(make_folder(tmp_path, "bert", num_labels=1, **settings))
    assert_same(ours(QUERY, DOCUMENTS), theirs, QUERY)


def test_what_sentence_transformers_saves_is_read(tmp_path):
    theirs = CrossEncoder(
        str(make_folder(tmp_path / "first", "bert", num_labels=1)),
        device="cpu",
        max_length=19,
        activation_fn=torch.nn.Identity(),
        prompts={"ask": "which film is it? "},
        default_prompt_name="ask",
    )
    theirs.save_pretrained(str(tmp_path / "saved"))
    ours, theirs = both(tmp_path / "saved")
    for query in QUERIES:
        assert_same(ours(query, DOCUMENTS), theirs, query)
        assert_same(ours(query, DOCUMENTS, prompt="so: "), theirs, query, prompt="so: ")
        assert_same(ours(query, DOCUMENTS, prompt=""), theirs, query, prompt="")
        assert_same(ours(query, DOCUMENTS, prompt_name="ask"), theirs, query, prompt_name="ask")


def test_where_we_differ_on_purpose(tmp_path):
    """Of several labels one can be named; a function that is not computed here is an error, not another function."""
    names = {0: "no", 1: "perhaps", 2: "yes"}
    folder = make_folder(tmp_path / "several", "bert", num_labels=3, id2label=names)
    theirs = CrossEncoder(str(folder), device="cpu")
    with pytest.raises(ValueError, match="only works for models with num_labels=1"):
        theirs.rank(QUERY, DOCUMENTS)
    with pytest.raises(TaskError, match="Name the label, label='yes'"):
        headway.pipeline("reranking", folder)
    found = {one["corpus_id"]: one["score"] for one in headway.pipeline("reranking", folder, label="yes")(QUERY, DOCUMENTS)}
    shares = theirs.predict([(QUERY, document) for document in DOCUMENTS], apply_softmax=True)[:, 2]
    assert [found[place] for place in range(len(DOCUMENTS))] == pytest.approx(shares.tolist(), abs=1e-4)
    folder = make_folder(tmp_path / "own", "bert", num_labels=1, sbert_ce_default_activation_function="own.Function")
    with pytest.raises(TaskError, match=r"name 'own\.Function' as what turns logits into scores"):
        headway.pipeline("reranking", folder)


@pytest.mark.data
def test_real_questions_rank_real_sentences_in_four_families(folder, data_folder):
    lines = (data_folder / "glue" / "qnli" / "validation.jsonl").read_text(encoding="utf-8").splitlines()[:43]
    rows = [json.loads(line) for line in lines]
    documents, queries = [row["sentence"] for row in rows], [row["question"] for row in rows][:7]
    assert len(documents) * len(queries) == 301
    ours, theirs = both(folder)
    for query, ranked in zip(queries, ours([{"query": query, "documents": documents} for query in queries]), strict=True):
        assert_same(ranked, theirs, query, documents)


@pytest.mark.data
def test_real_questions_rank_real_sentences_as_by_sentence_transformers(data_folder, minilm_folder, tmp_path):
    """Fifteen questions with the same 21 sentences of QNLI, the shorter ones of some."""
    lines = (data_folder / "glue" / "qnli" / "validation.jsonl").read_text(encoding="utf-8").splitlines()[::101]
    rows = sorted(map(json.loads, lines), key=lambda row: len(row["sentence"]))
    documents, queries = [row["sentence"] for row in rows][:21], [row["question"] for row in rows][:15]
    assert len(documents) * len(queries) == 315
    ours, theirs = both(make_minilm(tmp_path, minilm_folder, num_labels=1))
    found = ours([{"query": query, "documents": documents} for query in queries], return_documents=True)
    for query, ranked in zip(queries, found, strict=True):
        assert_same(ranked, theirs, query, documents, return_documents=True)
    assert np.std([one["score"] for ranked in found for one in ranked]) > 0.05
