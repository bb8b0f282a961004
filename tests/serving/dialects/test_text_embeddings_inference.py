"""text-embeddings-inference: bodies and answers as its clients send and read them, its errors, limits and headers."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from serving.dialects.in_process import get, post, refused, send

TEXT, OTHER = "the movie was great fun", "boring"


def test_labels_of_a_text_a_pair_and_a_batch_of_both(serving, pipe):
    service, classify = serving("mood"), pipe("mood")
    pair = {"text": TEXT, "text_pair": OTHER}
    assert post(service, "/predict", {"inputs": TEXT}) == classify(TEXT, top_k=None)
    assert post(service, "/predict", {"inputs": [TEXT]}) == classify(TEXT, top_k=None)
    assert post(service, "/predict", {"inputs": [TEXT, OTHER]}) == classify(pair, top_k=None)  # a pair, no batch
    batch = [[OTHER], [TEXT, OTHER], [TEXT]]
    assert post(service, "/predict", {"inputs": batch}) == classify([OTHER, pair, TEXT], top_k=None)
    raw = post(service, "/predict", {"inputs": TEXT, "raw_scores": True, "truncate": None, "truncation_direction": "Right"})
    assert raw == classify(TEXT, top_k=None, function_to_apply="none")


def test_labels_that_exclude_nothing_have_the_scores_of_the_pipeline(models, serving, model_folder):
    folder = model_folder("sequence-classification", num_labels=3, problem_type="multi_label_classification")
    many = type(models["mood"])("many", folder, ("text-classification",))
    service = serving("mood")
    service.by_name = {"many": many}
    found = post(service, "/predict", {"inputs": TEXT})
    assert found == many.pipe("text-classification")(TEXT, top_k=None)
    assert sum(one["score"] for one in found) != pytest.approx(1)


def test_vectors_are_in_a_list_also_where_there_is_one(serving, pipe):
    service, embed = serving("org/encoder"), pipe("org/encoder")
    assert post(service, "/embed", {"inputs": TEXT}) == [embed(TEXT, normalize=True)]
    assert post(service, "/embed", {"inputs": [TEXT, OTHER]}) == embed([TEXT, OTHER], normalize=True)
    assert post(service, "/", {"inputs": [TEXT, OTHER]}) == embed([TEXT, OTHER], normalize=True)
    shorter = {"inputs": TEXT, "normalize": False, "dimensions": 5, "prompt_name": None}
    assert post(service, "/embed", shorter) == [embed(TEXT, normalize=False, truncate_dim=5)]
    assert post(service, "/embed", {"inputs": TEXT, "prompt_name": "query"}) == [embed(TEXT, normalize=True, prompt_name="query")]


def test_token_ids_are_read_as_they_are(serving, pipe, tiny_tokenizer):
    service, embed = serving("org/encoder"), pipe("org/encoder")
    ids = tiny_tokenizer(TEXT)["input_ids"]
    (alone,) = post(service, "/embed", {"inputs": ids})
    assert alone == embed(TEXT, normalize=True)
    both = post(service, "/embed", {"inputs": [ids, ids[:3]]})
    assert both[0] == alone
    assert both[1] != alone


def test_token_vectors(serving, pipe):
    service, features = serving("org/encoder"), pipe("org/encoder", "feature-extraction")
    found = post(service, "/embed_all", {"inputs": [TEXT, OTHER]})
    assert found == [one[0] for one in features([TEXT, OTHER])]
    assert [len(vectors) for vectors in found] == [7, 3]


def test_ranks(serving, pipe):
    service, texts = serving("ranker"), ["a dog", OTHER, "we saw a film"]
    expected = pipe("ranker")({"query": TEXT, "documents": texts}, function_to_apply="sigmoid")
    ranks = [{"index": one["corpus_id"], "score": one["score"]} for one in expected]
    assert post(service, "/rerank", {"query": TEXT, "texts": texts}) == ranks
    assert post(service, "/", {"query": TEXT, "texts": texts}) == ranks
    assert [one["score"] for one in ranks] == sorted((one["score"] for one in ranks), reverse=True)
    with_texts = post(service, "/rerank", {"query": TEXT, "texts": texts, "return_text": True, "raw_scores": True})
    assert [one["text"] for one in with_texts] == [texts[one["index"]] for one in with_texts]
    scores = np.array([one["score"] for one in with_texts])
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), [one["score"] for one in ranks], rtol=1e-6)


def test_similarities(serving, pipe):
    service, inputs = serving("org/encoder"), {"source_sentence": TEXT, "sentences": [OTHER, "a dog"]}
    expected = pipe("org/encoder", "sentence-similarity")(inputs, similarity="cosine")
    assert post(service, "/similarity", {"inputs": inputs}) == expected
    assert post(service, "/similarity", {"inputs": inputs, "parameters": {"truncate": True}}) == expected


def test_tokens_have_their_places_in_bytes(serving):
    service = serving("mood")
    (found,) = post(service, "/tokenize", {"inputs": "xün dog"})
    assert found[0] == {"id": 2, "text": "[CLS]", "special": True, "start": None, "stop": None}
    assert [(one["text"], one["start"], one["stop"]) for one in found[1:-1]] == [
        ("x", 0, 1), ("ü", 1, 3), ("n", 3, 4), ("dog", 5, 8),
    ]  # fmt: skip
    (plain,) = post(service, "/tokenize", {"inputs": ["xün dog"], "add_special_tokens": False})
    assert plain == found[1:-1]
    ids = [one["id"] for one in found]
    assert post(service, "/decode", {"ids": ids}) == ["xun dog"]
    assert post(service, "/decode", {"ids": [ids, ids[1:3]], "skip_special_tokens": False}) == ["[CLS] xun dog [SEP]", "xu"]


def test_prompts_stand_before_the_text(serving, models, tmp_path):
    folder = tmp_path / "prompted"
    shutil.copytree(models["org/encoder"].folder, folder)
    (folder / "1_Pooling").mkdir()
    files = {
        "modules.json": [{"type": "a.Transformer", "path": ""}, {"type": "a.Pooling", "path": "1_Pooling"}],
        "1_Pooling/config.json": {"pooling_mode_cls_token": True},
        "config_sentence_transformers.json": {"prompts": {"query": "we ", "usual": "he "}, "default_prompt_name": "usual"},
    }
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))
    service = serving("mood")
    service.by_name = {"prompted": type(models["mood"])("prompted", folder, models["org/encoder"].tasks)}
    tokens = [post(service, "/tokenize", {"inputs": "dog", **more})[0] for more in ({}, {"prompt_name": "query"})]
    assert [[one["text"] for one in found[1:-1]] for found in tokens] == [["he", "dog"], ["we", "dog"]]
    assert post(service, "/embed", {"inputs": "dog", "prompt_name": "query"}) == post(
        service, "/embed", {"inputs": [one["id"] for one in tokens[1]]}
    )
    assert get(service, "/info")["model_type"] == {"embedding": {"pooling": "cls"}}


def test_info_says_what_kind_of_model_it_is(serving):
    labels = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    info = get(serving("ranker"), "/info")
    assert info["model_type"] == {"reranker": labels}
    assert (info["model_id"], info["model_dtype"], info["max_input_length"]) == ("ranker", "float32", 41)
    assert info["max_client_batch_size"] == 2048
    assert get(serving("org/encoder"), "/info")["model_type"] == {"embedding": {"pooling": "mean"}}
    assert list(get(serving("mood"), "/info")["model_type"]) == ["classifier"]
    assert get(serving("mood", "org/encoder"), "/info?model=org/encoder")["model_id"] == "org/encoder"


def test_health_is_empty_and_a_server_that_is_not_ready_says_so(service):
    for path in ("/health", "/ping"):
        found = send(service, "GET", path)
        assert (found.status, found.body) == (200, b"")
    service.ready = False
    assert refused(service, "/health", None, method="GET") == (503, {"error": "unhealthy", "error_type": "Unhealthy"})


def test_metrics_are_text(service):
    found = send(service, "GET", "/metrics")
    assert found.body == b"headway_requests_total 3\n"
    assert found.media_type.startswith("text/plain; version=0.0.4")


def test_headers_say_what_it_cost(serving):
    found = send(serving("mood"), "POST", "/predict", {"inputs": [[TEXT], [OTHER]]})
    assert dict(found.headers) == {
        "x-compute-type": "cpu",
        "x-compute-time": "7",
        "x-compute-characters": "29",
        "x-compute-tokens": "10",
        "x-total-time": "7",
        "x-tokenization-time": "1",
        "x-queue-time": "2",
        "x-inference-time": "3",
    }


LONG = "a boring film , not good ! " * 9


def test_a_text_that_is_too_long_is_cut_unless_told_otherwise(serving, pipe):
    service = serving("mood")
    assert post(service, "/predict", {"inputs": LONG}) == pipe("mood")(LONG, top_k=None)
    for more in ({"truncate": False}, {"truncation_direction": "left"}):
        status, said = refused(service, "/predict", {"inputs": LONG, **more})
        assert status == 422
        assert said["error"].startswith("Input validation error: A text has 65 tokens, but the model reads at most 41")
        assert said["error_type"] == "Validation"
        assert post(service, "/predict", {"inputs": TEXT, **more}) == pipe("mood")(TEXT, top_k=None)


def test_more_inputs_than_allowed_are_refused_in_the_same_words(serving):
    service = serving("mood", "org/encoder", "ranker")
    service.limits = replace(service.limits, max_client_batch_size=3)
    said = {"error": "batch size 4 > maximum allowed batch size 3", "error_type": "Validation"}
    assert refused(service, "/predict", {"inputs": [[TEXT]] * 4}) == (422, said)
    assert refused(service, "/embed", {"inputs": [TEXT] * 4}) == (422, said)
    assert refused(service, "/rerank", {"query": TEXT, "texts": [TEXT] * 4}) == (422, said)
    assert refused(service, "/similarity", {"inputs": {"source_sentence": TEXT, "sentences": [TEXT] * 3}}) == (422, said)
    assert refused(service, "/tokenize", {"inputs": [TEXT] * 4}) == (422, said)
    assert refused(service, "/decode", {"ids": [[5]] * 4}) == (422, said)


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/embed", {"inputs": []}, "inputs"),
        ("/embed_all", {"inputs": []}, "inputs"),
        ("/rerank", {"query": TEXT, "texts": []}, "texts"),
        ("/similarity", {"inputs": {"source_sentence": TEXT, "sentences": []}}, "inputs.sentences"),
        ("/tokenize", {"inputs": []}, "inputs"),
        ("/decode", {"ids": []}, "ids"),
    ],
)
def test_nothing_is_an_error_of_its_own(service, path, body, name):
    assert refused(service, path, body) == (400, {"error": f"`{name}` cannot be empty", "error_type": "Empty"})


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "said"),
    [
        ("/predict", {"inputs": ["a", "b", "c"]}, 422, "Validation", "inputs is a list, but it is a text, a pair of texts"),
        ("/predict", {"inputs": [["a", "b", "c"]]}, 422, "Validation", "Put each text of a batch into a list of its own"),
        ("/predict", {"inputs": []}, 422, "Validation", "inputs is a list"),
        ("/predict", {}, 422, "Validation", "The body has no 'inputs', but it has to; it holds nothing. Add it."),
        ("/predict", {"inputs": TEXT, "raw_scores": "yes"}, 422, "Validation", "raw_scores is a text of 3 characters, where"),
        ("/predict", {"inputs": TEXT, "truncation_direction": "up"}, 422, "Validation", "where one of right, Right, left, Left"),
        ("/predict", b'"text"', 422, "Validation", "The body is a text of 4 characters, where a JSON object belongs"),
        ("/predict", b"{", 400, "Validation", "The body is not JSON"),
        ("/embed", {"inputs": [TEXT, None]}, 422, "Validation", "inputs is a list, where a text, a list of token ids, or"),
        ("/embed", {"inputs": [TEXT, -1]}, 422, "Validation", "inputs is a list, where a text, a list of token ids, or"),
        (
            "/embed",
            {"inputs": [999]},
            422,
            "Validation",
            "An input has the token id 999, but the model org/encoder knows ids below 101",
        ),
        (
            "/embed",
            {"inputs": [5] * 42},
            422,
            "Validation",
            "An input has 42 token ids, but the model org/encoder reads at most 41",
        ),
        ("/embed", {"inputs": TEXT, "dimensions": 29}, 422, "Validation", "`dimensions` is 29, but the model's vectors have 28"),
        (
            "/embed",
            {"inputs": TEXT, "dimensions": 0},
            422,
            "Validation",
            "dimensions is a number (0), where a whole number from 1",
        ),
        (
            "/embed",
            {"inputs": TEXT, "prompt_name": "poem"},
            422,
            "Validation",
            "prompt_name is 'poem', but the model's prompts are",
        ),
        ("/tokenize", {"inputs": TEXT, "prompt_name": "poem"}, 422, "Validation", "prompt_name is 'poem'"),
        ("/decode", {"ids": [5, 101]}, 422, "Validation", "An id is 101, but the tokenizer of mood knows ids below 101"),
        ("/decode", {"ids": [[5], "a"]}, 422, "Validation", "ids is a list, where a list of token ids, or a list of such lists"),
        ("/rerank", {"query": 5, "texts": [TEXT]}, 422, "Validation", "query is a number (5), where a text belongs"),
        ("/embed_sparse", {"inputs": TEXT}, 424, "Backend", "Model is not an embedding model with SPLADE pooling"),
    ],
)
def test_errors_are_of_its_kinds(service, path, body, status, kind, said):
    found = refused(service, path, body)
    assert (found[0], found[1]["error_type"]) == (status, kind)
    assert said in found[1]["error"]
    assert set(found[1]) == {"error", "error_type"}


def test_a_model_that_does_something_else_is_a_fault_of_the_backend(serving):
    for path, body in (
        ("/predict", {"inputs": TEXT}),
        ("/rerank", {"query": TEXT, "texts": [TEXT]}),
        ("/embed", {"inputs": TEXT}),
    ):
        status, said = refused(serving("tagger"), path, body)
        assert (status, said["error_type"]) == (424, "Backend")


def test_a_body_may_name_one_of_several_models(service, pipe):
    assert post(service, "/predict", {"inputs": TEXT, "model": "judge"}) == pipe("judge", "text-classification")(TEXT, top_k=None)


def test_numbers_are_those_of_the_pipeline_to_the_last_digit(serving, pipe):
    body = send(serving("org/encoder"), "POST", "/embed", {"inputs": TEXT}).body
    assert body == json.dumps([pipe("org/encoder")(TEXT, normalize=True)], separators=(",", ":")).encode()
