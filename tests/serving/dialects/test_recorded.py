"""Requests as frameworks sent them to a loopback server (November 2026), and what each reads of the answers."""

import base64

import numpy as np
import pytest

from serving.dialects.in_process import post

DOCUMENTS = ["a dog", "boring", "we saw a great film"]
OPENAI, HTTPX, COHERE = "OpenAI/Python 3.54.0", "python-httpx/0.28.1", "cohere/7.3.1"
HUB = "unknown/None; hf_hub/1.33.0; python/3.11.7"


def from_base64(answer):
    return [np.frombuffer(base64.b64decode(one["embedding"]), "<f4").tolist() for one in answer["data"]]


@pytest.mark.parametrize(
    ("path", "body", "agent", "read"),
    [
        pytest.param(
            "/v1/embeddings",
            {"model": "org/encoder", "input": ["a dog", "b"], "encoding_format": "base64"},
            OPENAI,
            from_base64,
            id="langchain-openai 1.7.3, without check_embedding_ctx_length",
        ),
        pytest.param(
            "/embed",
            {"inputs": ["a dog", "b"], "truncate": True},
            HTTPX,
            lambda answer: answer,
            id="llama-index-embeddings-text-embeddings-inference 0.6.0",
        ),
        pytest.param(
            "/models/org/encoder",
            {"inputs": ["a dog", "b"], "normalize": True},
            HUB,
            lambda answer: answer,
            id="llama-index-embeddings-huggingface-api 0.6.0",
        ),
    ],
)
def test_frameworks_get_their_vectors(service, pipe, path, body, agent, read):
    expected = pipe("org/encoder")(["a dog", "b"], normalize=True)
    assert read(post(service, path, body, user_agent=agent)) == expected


def test_one_text_is_one_vector_for_llama_index(service, pipe):
    assert post(service, "/models/org/encoder", {"inputs": "a dog"}, user_agent=HUB) == pipe("org/encoder")("a dog")


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_cohere_reads_places_and_scores(service, pipe, path):
    body = {"model": "rerank-v3.5", "query": "was it fun ?", "documents": DOCUMENTS, "top_n": 2}
    found = post(service, path, body, user_agent=COHERE)
    expected = pipe("ranker")({"query": "was it fun ?", "documents": DOCUMENTS}, top_k=2, function_to_apply="sigmoid")
    assert [(one["index"], one["relevance_score"]) for one in found["results"]] == [
        (one["corpus_id"], one["score"]) for one in expected
    ]
    assert found["meta"]["billed_units"]["search_units"] == 1
