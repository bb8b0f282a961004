"""The Open Inference Protocol: texts as BYTES, options as parameters, binary tensors as Triton's clients send them."""

import json

import numpy as np
import pytest

from serving.dialects.in_process import get, post, refused, send

TEXT, OTHER = "the movie was great fun", "boring"


def texts(*data, name="text", shape=None):
    return {"name": name, "shape": shape or [len(data)], "datatype": "BYTES", "data": list(data)}


def infer(service, model, *inputs, **body):
    found = post(service, f"/v2/models/{model}/infer", {"inputs": list(inputs), **body})
    return {one["name"]: one for one in found["outputs"]}


def test_labels_are_two_tensors(service, pipe):
    best = pipe("mood")([TEXT, OTHER])
    found = post(service, "/v2/models/mood/infer", {"id": "42", "inputs": [texts(TEXT, OTHER)]})
    assert found == {
        "model_name": "mood",
        "model_version": "000000000000",
        "id": "42",
        "outputs": [
            {"name": "label", "shape": [2], "datatype": "BYTES", "data": [one["label"] for one in best]},
            {"name": "score", "shape": [2], "datatype": "FP32", "data": [one["score"] for one in best]},
        ],
    }
    several = infer(service, "mood", texts(TEXT, OTHER), parameters={"top_k": 2})
    assert several["score"]["shape"] == [2, 2]
    assert several["score"]["data"] == [one["score"] for labels in pipe("mood")([TEXT, OTHER], top_k=2) for one in labels]


def test_vectors_are_one_tensor(service, pipe):
    found = infer(service, "org/encoder", texts(TEXT, OTHER), parameters={"truncate_dim": 5})
    assert found["embedding"]["shape"] == [2, 5]
    vectors = pipe("org/encoder")([TEXT, OTHER], truncate_dim=5)
    assert found["embedding"]["data"] == [number for vector in vectors for number in vector]


def test_another_task_of_the_model_is_a_parameter(service, pipe):
    found = infer(service, "org/encoder", texts(TEXT), parameters={"task": "feature-extraction"})
    assert found["features"]["shape"] == [1, 7, 28]
    status, said = refused(
        service, "/v2/models/org/encoder/infer", {"inputs": [texts(TEXT, OTHER)], "parameters": {"task": "feature-extraction"}}
    )
    assert status == 400
    assert "The answers' features have the lengths [3, 7], and a tensor has one for all" in said["error"]


def test_answers_of_any_number_are_json_texts(service, pipe):
    found = infer(service, "tagger", texts(TEXT, OTHER), parameters={"aggregation_strategy": "simple"})
    assert [json.loads(one) for one in found["entities"]["data"]] == pipe("tagger")([TEXT, OTHER], aggregation_strategy="simple")


def test_each_text_of_an_input_is_a_tensor_of_its_own(service, pipe):
    question, context = "was it fun ?", "we saw a movie , it was great fun !"
    found = infer(service, "reader", texts(question, name="question"), texts(context, name="context"))
    expected = pipe("reader")(question=question, context=context)
    assert {name: one["data"][0] for name, one in found.items()} == expected
    as_column = infer(
        service, "reader", texts(question, name="question", shape=[1, 1]), texts(context, name="context", shape=[1, 1])
    )
    assert as_column == found
    pair = infer(service, "mood", texts(TEXT), texts(OTHER, name="text_pair"))
    assert pair["score"]["data"] == [pipe("mood")({"text": TEXT, "text_pair": OTHER})["score"]]


def test_lists_of_texts_have_two_dimensions_and_options_may_be_tensors(service, pipe):
    documents = texts("a dog", OTHER, "we saw it", name="documents", shape=[1, 3])
    found = infer(service, "ranker", texts(TEXT, name="query"), documents)
    assert json.loads(found["ranking"]["data"][0]) == pipe("ranker")({"query": TEXT, "documents": documents["data"]})
    labels = infer(service, "judge", texts(TEXT), texts("fun", "dog", name="candidate_labels"))
    assert labels["label"]["data"] == pipe("judge")(TEXT, candidate_labels=["fun", "dog"])["labels"]
    assert labels == infer(service, "judge", texts(TEXT), parameters={"candidate_labels": "fun, dog"})


def test_token_ids_with_their_mask(service, pipe, tiny_tokenizer):
    rows = [tiny_tokenizer(text)["input_ids"] for text in (TEXT, OTHER)]
    padded = [row + [0] * (7 - len(row)) for row in rows]
    masks = [[1] * len(row) + [0] * (7 - len(row)) for row in rows]
    tensor = {"shape": [2, 7], "datatype": "INT64"}
    found = infer(
        service, "mood", {"name": "input_ids", **tensor, "data": padded}, {"name": "attention_mask", **tensor, "data": masks}
    )
    for score, text in zip(found["score"]["data"], (TEXT, OTHER), strict=True):
        assert score == pipe("mood")(text)[0]["score"]


def binary(service, model, *, outputs=None, **parameters):
    """A request as tritonclient sends it: JSON, and behind it the bytes of the tensors."""
    data = b"".join(len(text).to_bytes(4, "little") + text for text in map(str.encode, (TEXT, OTHER, "")))
    about = {"name": "text", "shape": [3], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    said = json.dumps({"inputs": [about], "parameters": parameters, **({"outputs": outputs} if outputs else {})}).encode()
    headers = {"inference-header-content-length": str(len(said))}
    return send(service, "POST", f"/v2/models/{model}/infer", said + data, headers=headers)


def read_binary(found):
    length = int(found.headers["Inference-Header-Content-Length"])
    outputs, place, read = json.loads(found.body[:length])["outputs"], length, {}
    for one in outputs:
        size = one.get("parameters", {}).get("binary_data_size")
        read[one["name"]] = one.get("data") if size is None else found.body[place : place + size]
        place += size or 0
    assert place == len(found.body)
    return read


def test_binary_tensors_both_ways(service, pipe):
    found = binary(service, "mood", binary_data_output=True)
    assert found.media_type == "application/octet-stream"
    read, best = read_binary(found), pipe("mood")([TEXT, OTHER, ""])
    assert np.frombuffer(read["score"], "<f4").tolist() == [one["score"] for one in best]
    assert read["label"] == b"".join(len(one["label"]).to_bytes(4, "little") + one["label"].encode() for one in best)


def test_each_output_says_how_it_comes(service):
    outputs = [{"name": "score", "parameters": {"binary_data": True}}, {"name": "label"}]
    read = read_binary(binary(service, "mood", outputs=outputs))
    assert list(read) == ["score", "label"]
    assert isinstance(read["score"], bytes)
    assert len(read["label"]) == 3
    assert isinstance(read_binary(binary(service, "mood", outputs=[{"name": "score"}], binary_data_output=True))["score"], bytes)
    only = post(service, "/v2/models/mood/infer", {"inputs": [texts(TEXT)], "outputs": [{"name": "label"}]})
    assert [one["name"] for one in only["outputs"]] == ["label"]


def test_a_model_says_what_it_reads_and_gives(service):
    assert get(service, "/v2/models/reader") == {
        "name": "reader",
        "versions": ["000000000000"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in ("question", "context")],
        "outputs": [
            {"name": "answer", "datatype": "BYTES", "shape": [-1]},
            {"name": "score", "datatype": "FP32", "shape": [-1]},
            {"name": "start", "datatype": "INT64", "shape": [-1]},
            {"name": "end", "datatype": "INT64", "shape": [-1]},
        ],
    }
    outputs = {name: [one["name"] for one in get(service, f"/v2/models/{name}")["outputs"]] for name in service.by_name}
    assert outputs["judge"] == outputs["mood"] == ["label", "score"]
    assert outputs["tagger"] == ["entities"]
    inputs = {
        name: [(one["name"], one["shape"]) for one in get(service, f"/v2/models/{name}")["inputs"]] for name in service.by_name
    }
    assert inputs["ranker"] == [("query", [-1]), ("documents", [-1, -1])]
    assert inputs["chooser"] == [("prompt", [-1]), ("choices", [-1, -1])]


def test_what_a_model_says_is_what_it_answers(service):
    """Names, kinds and numbers of dimensions, for those that are asked with a text."""
    for name in ("mood", "tagger", "org/encoder"):
        found = infer(service, name, texts(TEXT))
        said = get(service, f"/v2/models/{name}")["outputs"]
        assert [(one["name"], one["datatype"], len(one["shape"])) for one in said] == [
            (one["name"], one["datatype"], len(one["shape"])) for one in found.values()
        ]


def test_versions_are_fingerprints(service):
    version = service.find("mood").version
    for said in (version, version[:12]):
        assert post(service, f"/v2/models/mood/versions/{said}/infer", {"inputs": [texts(TEXT)]})["model_version"] == version[:12]
        assert get(service, f"/v2/models/mood/versions/{said}")["name"] == "mood"
        assert get(service, f"/v2/models/mood/versions/{said}/ready") == {"name": "mood", "ready": True}
    status, said = refused(service, "/v2/models/mood/versions/1/infer", {"inputs": [texts(TEXT)]})
    assert status == 404
    assert said["error"] == "mood is served in version 000000000000, not '1'. Leave the version out."


def test_health_tells_live_from_ready(service):
    assert get(service, "/v2")["name"] == "headway"
    assert get(service, "/v2/health/ready") == {"live": True, "ready": True}
    assert get(service, "/v2/models/org/encoder/ready") == {"name": "org/encoder", "ready": True}
    service.ready = False
    assert get(service, "/v2/health/live") == {"live": True}
    assert send(service, "GET", "/v2/health/ready").status == 503
    assert send(service, "GET", "/v2/models/mood/ready").status == 503


def test_models_are_listed_loaded_and_unloaded(service):
    assert post(service, "/v2/repository/index", {})[1] == {"name": "judge", "version": "000000000000", "state": "READY"}
    assert post(service, "/v2/repository/models/judge/load", {}) == {}
    assert post(service, "/v2/repository/models/org/encoder/unload", {}) == {}
    assert refused(service, "/v2/models/org/encoder", None, method="GET")[0] == 404


ONE = texts(TEXT)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": []}, "There are no inputs, so nothing is asked"),
        ({}, "The body has no 'inputs'"),
        ({"inputs": [5]}, "an input is a number (5), where a JSON object belongs"),
        ({"inputs": [ONE, ONE]}, "There are two inputs with the name 'text'"),
        ({"inputs": [{**ONE, "shape": [2]}]}, "text has 1 values, but its shape is for 2. Correct one of both."),
        ({"inputs": [{**ONE, "shape": [-1]}]}, "shape is a list, where a list of whole numbers belongs"),
        ({"inputs": [{**ONE, "data": [5]}]}, "text holds a value that is no BYTES"),
        ({"inputs": [{**ONE, "datatype": "STRING"}]}, "The datatype of text is 'STRING', which is none of BYTES, BOOL"),
        ({"inputs": [{**ONE, "shape": [1, 1, 1]}]}, "text has the shape [1, 1, 1], but inputs have one dimension"),
        ({"inputs": [{**ONE, "datatype": "INT64", "data": [3]}]}, "text is INT64, but inputs are texts (BYTES), or input_ids"),
        ({"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES"}]}, "an input has no 'data'"),
        ({"inputs": [ONE, texts("a", "b", name="text_pair")]}, "count different numbers of inputs ([1, 2])"),
        ({"inputs": [ONE, texts("a", name="colour")]}, "An input has the keys 'text', 'colour'"),
        ({"inputs": [{**ONE, "parameters": {"binary_data_size": 7}}]}, "binary_data_size of text is 7, but 0 bytes are left"),
        ({"inputs": [ONE], "outputs": [{"name": "colour"}]}, "There is no output 'colour' of text-classification"),
        ({"inputs": [ONE], "parameters": {"colour": 3}}, "text-classification has no option 'colour'"),
        ({"inputs": [ONE], "parameters": {"task": "fill-mask"}}, "No model does fill-mask here"),
        ({"inputs": [{"name": "input_ids", "shape": [1], "datatype": "INT64", "data": [5]}]}, "each (inputs, tokens)"),
        (
            {"inputs": [{"name": "input_ids", "shape": [1, 1], "datatype": "FP32", "data": [5]}]},
            "are of whole numbers and of one",
        ),
        ({"inputs": [{"name": "input_ids", "shape": [1, 1], "datatype": "INT64", "data": [-5]}]}, "or one below 0"),
        ({"inputs": [{"name": "input_ids", "shape": [1, 1], "datatype": "INT64", "data": [500]}]}, "knows ids below 101"),
    ],
)
def test_errors_are_in_one_word(service, body, said):
    status, found = refused(service, "/v2/models/mood/infer", body)
    assert status == 400
    assert said in found["error"]
    assert set(found) == {"error"}


@pytest.mark.parametrize(
    ("length", "size", "data", "said"),
    [
        ("x", 0, b"", "The header Inference-Header-Content-Length is 'x', but the body has"),
        ("9999", 0, b"", "of which it counts the first that are JSON"),
        ("3", 0, b"", "The body's first 3 bytes are no JSON"),
        (None, 6, b"\x03\x00\x00\x00ab", "The bytes of text end within a text"),
        (None, 2, b"\x03\x00", "The bytes of text end within a text"),
        (None, 6, b"\x02\x00\x00\x00\xff\xfe", "text holds bytes that are no UTF-8"),
        (None, 5, b"\x01\x00\x00\x00a\x00", "1 bytes of the body belong to no input"),
        (None, 0, b"", "text has 0 bytes, which are not the 1 values of its shape"),
    ],
)
def test_broken_binary_data_is_refused(service, length, size, data, said):
    about = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": size}}
    body = json.dumps({"inputs": [about]}).encode()
    headers = {"inference-header-content-length": length or str(len(body))}
    found = send(service, "POST", "/v2/models/mood/infer", body + data, headers=headers)
    assert found.status == 400
    assert said in json.loads(found.body)["error"]
