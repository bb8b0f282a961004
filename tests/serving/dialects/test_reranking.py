"""Cohere's, Jina's, infinity's and vLLM's shapes of ranks, labels and scores of pairs."""

import pytest

from serving.dialects.in_process import post, refused

TEXT, DOCUMENTS = "was it fun ?", ["a dog", "boring", "we saw a great film"]


@pytest.fixture
def ranking(pipe):
    return pipe("ranker")({"query": TEXT, "documents": DOCUMENTS}, function_to_apply="sigmoid")


def test_documents_come_back_from_version_1_and_not_from_version_2(service, ranking):
    body = {"model": "rerank-v3.5", "query": TEXT, "documents": [*DOCUMENTS[:2], {"text": DOCUMENTS[2], "id": 5}], "top_n": 2}
    plain = [{"index": one["corpus_id"], "relevance_score": one["score"]} for one in ranking[:2]]
    with_texts = [{**one, "document": {"text": DOCUMENTS[one["index"]]}} for one in plain]
    first = post(service, "/v1/rerank", body)
    assert first["results"] == with_texts
    assert first["model"] == "ranker"
    assert first["usage"] == {"prompt_tokens": service_tokens(service), "total_tokens": service_tokens(service)}
    assert first["meta"]["api_version"] == {"version": "1"}
    assert post(service, "/v1/rerank", {**body, "return_documents": False})["results"] == plain
    assert post(service, "/v2/rerank", body)["results"] == plain
    assert post(service, "/v2/rerank", body)["meta"]["api_version"] == {"version": "2"}
    assert post(service, "/v2/rerank", {**body, "return_documents": True})["results"] == with_texts


def service_tokens(service):
    """Tokens of the pairs that were asked for last: the query with each document."""
    (item,) = service.asked[-1].items
    tokenizer = service.find("ranker").tokenizer
    return sum(len(tokenizer(item["query"], text)["input_ids"]) for text in item["documents"])


def test_values_of_a_document_are_read_in_the_order_of_rank_fields(service):
    documents = [{"title": "a dog", "body": "fun", "id": 3}, {"title": "boring"}]
    post(service, "/v1/rerank", {"query": TEXT, "documents": documents, "rank_fields": ["body", "title"]})
    assert service.asked[-1].items[0]["documents"] == ["fun\na dog", "boring"]


def test_max_tokens_per_doc_bounds_what_is_read(service):
    post(service, "/v2/rerank", {"query": TEXT, "documents": DOCUMENTS, "max_tokens_per_doc": 9})
    assert service.asked[-1].options["max_length"] == 9


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"query": TEXT, "documents": []}, "`documents` is empty, so there is nothing to put in an order"),
        ({"query": TEXT, "documents": [5]}, "A document is a number (5), but documents are texts, or objects with a text under"),
        ({"query": TEXT, "documents": [{"title": "x"}]}, "A document is an object, but documents are texts"),
        ({"documents": DOCUMENTS}, "The body has no 'query'"),
        ({"query": TEXT, "documents": DOCUMENTS, "top_n": 0}, "top_n is a number (0), where a whole number from 1 on belongs"),
    ],
)
def test_errors_are_read_by_both_clients(service, body, said):
    for path in ("/v1/rerank", "/v2/rerank"):
        status, found = refused(service, path, body)
        assert status == 400
        assert said in found["message"]
        assert found["detail"] == found["message"]


def test_infinity_has_documents_as_texts(service, ranking):
    body = {"query": TEXT, "documents": DOCUMENTS, "model": "default/not-specified", "return_documents": True, "top_n": 2}
    found = post(service, "/rerank", body)
    assert found["object"] == "rerank"
    assert found["results"] == [
        {"index": one["corpus_id"], "relevance_score": one["score"], "document": DOCUMENTS[one["corpus_id"]]}
        for one in ranking[:2]
    ]
    raw = post(service, "/rerank", {"query": TEXT, "documents": DOCUMENTS, "raw_scores": True})
    assert service.asked[-1].options["function_to_apply"] == "none"
    assert raw["results"][0]["document"] is None


def test_infinity_gives_all_labels(service, pipe):
    found = post(service, "/classify", {"input": ["boring", TEXT], "model": "mood"})
    assert found["object"] == "classify"
    assert found["data"] == pipe("mood")(["boring", TEXT], top_k=None)
    assert found["usage"]["total_tokens"] == 9
    assert found["id"].startswith("infinity-")
    raw = post(service, "/classify", {"input": [TEXT], "model": "mood", "raw_scores": True})
    assert raw["data"] == [pipe("mood")(TEXT, top_k=None, function_to_apply="none")]
    status, said = refused(service, "/classify", {"input": [], "model": "mood"})
    assert status == 400
    assert "input is a list, where a list of texts that is not empty belongs" in said["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/classify", {"input": [TEXT, "boring"]}),
        ("/classify", {"input": TEXT}),
        ("/classify", {"input": [TEXT], "use_activation": True}),
    ],
)
def test_vllm_has_probabilities_in_the_order_of_the_labels(service, pipe, path, body):
    found = post(service, path, {"model": "mood", **body})
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    assert found["object"] == "list"
    for index, (one, labels) in enumerate(zip(found["data"], pipe("mood")(texts, top_k=None), strict=True)):
        scores = {label["label"]: label["score"] for label in labels}
        assert one == {
            "index": index,
            "label": labels[0]["label"],
            "probs": [scores[f"LABEL_{number}"] for number in range(3)],
            "num_classes": 3,
        }


def test_vllm_scores_a_text_with_many_or_as_many_with_as_many(service, ranking):
    one = post(service, "/score", {"text_1": TEXT, "text_2": DOCUMENTS, "model": "ranker"})
    expected = {found["corpus_id"]: found["score"] for found in ranking}
    assert [found["index"] for found in one["data"]] == [0, 1, 2]
    for found in one["data"]:
        assert found["score"] == pytest.approx(expected[found["index"]], rel=1e-5)
    both = post(service, "/v1/score", {"queries": [TEXT] * 3, "documents": DOCUMENTS, "model": "ranker"})
    assert both["data"] == one["data"]
    status, said = refused(service, "/score", {"text_1": [TEXT] * 2, "text_2": DOCUMENTS})
    assert status == 400
    assert "text_1 has 2 texts and text_2 3, but each goes with one of the others" in said["error"]["message"]


def test_vllm_bounds_the_tokens(service):
    post(service, "/v1/classify", {"input": TEXT, "truncate_prompt_tokens": 5, "use_activation": False})
    assert service.asked[-1].options == {"top_k": None, "function_to_apply": "none", "max_length": 5}
    post(service, "/v1/classify", {"input": TEXT, "truncate_prompt_tokens": -1})
    assert service.asked[-1].options == {"top_k": None}
