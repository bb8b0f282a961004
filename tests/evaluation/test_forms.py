"""Rankings and sentence vectors are measured on rows of every form that they are learnt from."""

import json

import numpy as np
import pytest

from headway import pipeline
from headway.errors import DataError
from headway.evaluation import evaluate
from headway.evaluation.forms import by_role
from headway.tasks import task, task_names
from headway.tasks.ranking_metrics import ndcg

QUERIES = ("the movie", "a dog")
DOCUMENTS = ("the movie was great fun", "boring", "a dog and two cats", "we hate it", "she saw the dog")
RELEVANT = {"the movie": [2, 0, 0, 1, 0], "a dog": [0, 0, 1, 0, 1]}
PAIRED = [
    {"query": query, "passage": document, "label": RELEVANT[query][place]}
    for place, document in enumerate(DOCUMENTS)
    for query in QUERIES  # the rows of a query do not stand together
]
LISTED = [{"query": query, "documents": list(DOCUMENTS), "relevance": RELEVANT[query]} for query in QUERIES]


@pytest.fixture(scope="module")
def reranker(model_folder):
    return pipeline("text-ranking", model_folder("sequence-classification", num_labels=1, seed=5))


@pytest.fixture(scope="module")
def sentences(model_folder):
    return pipeline("sentence-embeddings", model_folder("base", seed=5))


def test_pairs_of_query_and_document_are_measured_as_the_rankings_that_they_make(reranker):
    paired, listed = (evaluate(reranker, rows, resamples=5) for rows in (PAIRED, LISTED))
    order = [one["corpus_id"] for one in reranker(query="a dog", documents=list(DOCUMENTS))]
    alone = evaluate(reranker, LISTED[1:], resamples=0)
    assert alone.scores["ndcg@10"] == pytest.approx(ndcg([RELEVANT["a dog"][place] for place in order]))
    assert paired.scores == listed.scores
    assert (paired.rows, listed.rows) == (2, 2)
    assert paired.notes == ("The 10 rows were brought together to 2, as in training: what is compared stands in one row.",)
    assert listed.notes == ()


def test_what_answers_a_query_and_what_does_not_is_a_ranking_too(reranker):
    rows = [{"query": "a dog", "positive": DOCUMENTS[2], "negative_1": DOCUMENTS[0], "negative_2": [DOCUMENTS[1], DOCUMENTS[3]]}]
    documents = [DOCUMENTS[place] for place in (2, 0, 1, 3)]
    wanted = evaluate(reranker, [{"query": "a dog", "documents": documents, "relevance": [1, 0, 0, 0]}], resamples=0)
    assert evaluate(reranker, rows, resamples=0).scores == wanted.scores


def test_rankings_of_the_form_that_is_measured_are_read_one_by_one(reranker):
    seen = []

    def rows():
        for row in LISTED * 3:
            seen.append(row)
            yield row

    evaluate(reranker, rows(), resamples=0, limit=1)
    assert len(seen) < 6


def test_columns_of_pairs_can_be_named(reranker):
    rows = [{"asked": row["query"], "found": row["passage"], "grade": row["label"], "label": "no"} for row in PAIRED]
    named = evaluate(reranker, rows, resamples=0, columns={"query": "asked", "documents": "found", "relevance": "grade"})
    assert named.scores == evaluate(reranker, PAIRED, resamples=0).scores
    with pytest.raises(DataError, match="There is no column 'query'; the columns are asked, found, grade, label"):
        evaluate(reranker, rows, resamples=0, columns={"query": "query"})
    with pytest.raises(DataError, match="The columns asked, found, grade, label are none that ranking is learnt from"):
        evaluate(reranker, rows, resamples=0)


def test_a_model_of_sentence_vectors_is_measured_by_similarities_without_naming_another_task(model_folder, sentences):
    rows = [{"sentence1": one, "sentence2": DOCUMENTS[place - 2], "score": place} for place, one in enumerate(DOCUMENTS)]
    found = evaluate(sentences, rows, resamples=5, worst=2)
    wanted = evaluate(model_folder("base", seed=5), rows, task="sentence-similarity", resamples=5, worst=2)
    assert (found.task, wanted.task) == ("sentence-embeddings", "sentence-similarity")
    assert found.scores == pytest.approx(wanted.scores)
    assert found.details[0].rows[0][:2] == wanted.details[0].rows[0][:2]
    assert [one.row for one in found.worst] == [one.row for one in wanted.worst]
    assert [one.answer[0] for one in found.worst] == pytest.approx([one.answer for one in wanted.worst])
    assert json.loads(json.dumps(found.to_dict()))["scores"] == found.scores


def test_texts_that_belong_together_are_measured_by_whether_they_are_found(sentences):
    rows = [{"anchor": "the dog", "positive": DOCUMENTS[4], "negative": DOCUMENTS[1]}, {"anchor": "it", "positive": "we hate it"}]
    found = evaluate(sentences, rows, resamples=0, worst=1)
    texts = sentences(["the dog", *DOCUMENTS[4:], DOCUMENTS[1], "it", "we hate it"])
    one, two, three, other, four = (np.array(text) / np.linalg.norm(text) for text in texts)
    pairs = ((one, two), (other, four))
    ranks = [1 + sum(anchor @ text > anchor @ own + 1e-6 for text in (two, three, four)) for anchor, own in pairs]
    assert found.scores["mrr@10"] == pytest.approx(np.mean([1 / rank for rank in ranks]))
    assert found.details[0].rows[0][:2] == ("1", ranks.count(1))
    assert len(found.worst[0].answer) in (1, 2)


def test_options_of_the_pipeline_hold_for_what_is_measured(model_folder):
    rows = [{"sentence1": one, "sentence2": DOCUMENTS[place - 2], "score": place} for place, one in enumerate(DOCUMENTS)]
    first = pipeline("sentence-embeddings", model_folder("base", seed=5), pooling="cls", max_length=5)
    report = evaluate(first, rows, resamples=0)
    assert (report.settings["options"]["pooling"], report.settings["options"]["max_length"]) == ("cls", 5)


@pytest.mark.parametrize("name", [name for name in task_names() if task(name).training])
def test_what_a_role_is_called_is_among_its_usual_names(name):
    """So that columns can be called by their roles."""
    found = task(name)
    for table in (found.table, found.evaluation.table):
        pairs = [dict(zip(table.roles, pair, strict=True)) for pair in table.together]
        usual = {role: {*names, *(pair[role] for pair in pairs)} for role, names in table.roles.items()}
        assert all(role in names for role, names in usual.items())


def test_named_columns_are_called_by_their_roles_and_the_others_left_out():
    found = task("text-classification")
    rows = [{"review": "fine", "stars": 4, "sentence1": "x", "sentence2": "y", "label": "z"}]
    assert by_role(rows, found, found.evaluation, {"text": "review", "label": "stars"}) == [{"text": "fine", "label": 4}]
    assert by_role(rows, found, found.evaluation, {}) is rows
