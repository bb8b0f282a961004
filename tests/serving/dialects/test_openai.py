"""OpenAI's embeddings and models, as plain requests."""

import base64

import numpy as np
import pytest

from serving.dialects.in_process import get, post, refused

TEXT, OTHER = "the movie was great fun", "boring"


@pytest.fixture
def embed(pipe):
    return lambda inputs, **options: pipe("org/encoder")(inputs, normalize=True, **options)


def test_vectors_as_numbers(service, embed):
    found = post(service, "/v1/embeddings", {"input": [TEXT, OTHER], "model": "org/encoder", "user": "someone"})
    assert found == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(embed([TEXT, OTHER]))
        ],
        "model": "org/encoder",
        "usage": {"prompt_tokens": 10, "total_tokens": 10},
    }
    assert post(service, "/embeddings", {"input": TEXT})["data"][0]["embedding"] == embed(TEXT)


def test_vectors_as_bytes(service, embed):
    body = {"input": TEXT, "model": "org/encoder", "encoding_format": "base64", "dimensions": 5}
    (one,) = post(service, "/v1/embeddings", body)["data"]
    assert np.frombuffer(base64.b64decode(one["embedding"]), "<f4").tolist() == embed(TEXT, truncate_dim=5)


def test_token_ids_in_place_of_texts(service, embed, tiny_tokenizer):
    ids = tiny_tokenizer(TEXT)["input_ids"]
    alone = post(service, "/v1/embeddings", {"input": ids, "model": "org/encoder"})
    assert [one["embedding"] for one in alone["data"]] == [embed(TEXT)]
    assert alone["usage"]["total_tokens"] == len(ids)
    several = post(service, "/v1/embeddings", {"input": [ids, ids[:4]], "model": "org/encoder"})
    assert len(several["data"]) == 2


def test_the_only_model_of_vectors_answers_to_any_name(service, models):
    assert post(service, "/v1/embeddings", {"input": TEXT, "model": "text-embedding-3-small"})["model"] == "org/encoder"
    service.by_name["second"] = models["org/encoder"]
    status, said = refused(service, "/v1/embeddings", {"input": TEXT, "model": "text-embedding-3-small"})
    assert (status, said["error"]["code"]) == (404, "model_not_found")


def test_models_are_listed_for_openai_and_for_kserve(service):
    found = get(service, "/v1/models")
    assert found["object"] == "list"
    assert found["models"] == [one["id"] for one in found["data"]] == [served.name for served in service.models()]
    one = get(service, "/v1/models/org/encoder")
    assert (one["id"], one["object"], one["created"], one["name"], one["ready"]) == (
        "org/encoder", "model", 1_700_000_000, "org/encoder", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"model": "org/encoder"}, 400, "The body has no 'input', but it has to; it holds 'model'. Add it."),
        ({"input": []}, 400, "input is a list, where a text, a list of token ids, or a list of either that is not empty belongs"),
        ({"input": [[]]}, 400, "input is a list, where"),
        ({"input": TEXT, "encoding_format": "bytes"}, 400, "where one of float, base64 belongs"),
        ({"input": TEXT, "dimensions": 0}, 400, "dimensions is a number (0), where a whole number from 1 on belongs"),
        ({"input": TEXT, "dimensions": 29}, 400, "`dimensions` is 29, but the model's vectors have 28 numbers. Ask for fewer."),
        ({"input": [1e300]}, 400, "input is a list, where"),
        (b"", 400, "The body is not JSON"),
        ({"input": TEXT, "model": "mood"}, 400, "No model does sentence-embeddings here"),
    ],
)
def test_errors_are_nested(service, body, status, said):
    found = refused(service, "/v1/embeddings", body)
    assert found[0] == status
    assert said in found[1]["error"]["message"]
    assert found[1]["error"]["type"] == "invalid_request_error"
    assert set(found[1]["error"]) == {"message", "type", "param", "code"}
