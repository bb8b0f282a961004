"""Instances and predictions: KServe's first protocol, and Vertex AI at the addresses of its environment."""

import pytest

from headway.serving.dialects.vertex import routes
from serving.dialects.in_process import post, refused

TEXT, QUESTION = "the movie was great fun", {"question": "was it fun ?", "context": "we saw a movie , it was great fun !"}
PATHS = pytest.mark.parametrize("path", ["/v1/models/mood:predict", "/vertex"])


@PATHS
def test_there_is_a_prediction_for_each_instance(service, pipe, path):
    found = post(service, path, {"instances": [TEXT, {"inputs": "boring"}]})
    assert found == {"predictions": pipe("mood")([TEXT, "boring"])}
    several = post(service, path, {"instances": [TEXT], "parameters": {"top_k": 2}})
    assert several == {"predictions": [pipe("mood")(TEXT, top_k=2)]}
    assert post(service, path, {"instances": []}) == {"predictions": []}


def test_an_instance_alone_is_in_a_list_too(service, pipe):
    assert post(service, "/v1/models/reader:predict", {"instances": [QUESTION]}) == {"predictions": [pipe("reader")(QUESTION)]}
    text = "the [MASK] was great"
    assert post(service, "/v1/models/filler:predict", {"inputs": [text]}) == {"predictions": [pipe("filler")(text)]}
    assert post(service, "/v1/models/org/encoder:predict", {"instances": [TEXT]}) == {"predictions": [pipe("org/encoder")(TEXT)]}


def test_vertex_finds_the_model_by_the_instances(service, pipe):
    assert post(service, "/vertex", {"instances": [QUESTION]}) == {"predictions": [pipe("reader")(QUESTION)]}
    labels = {"candidate_labels": ["fun", "dog"]}
    assert post(service, "/vertex", {"instances": [TEXT], "parameters": labels}) == {
        "predictions": [pipe("judge")(TEXT, **labels)]
    }


def test_vertex_names_its_routes_in_the_environment():
    assert [route.path for route in routes({})] == ["/vertex"]
    named = routes({"AIP_PREDICT_ROUTE": "/predict", "AIP_HEALTH_ROUTE": "/alive"})
    assert [(route.method, route.path) for route in named] == [("POST", "/vertex"), ("POST", "/predict"), ("GET", "/alive")]
    assert named[1].accepts is not None  # the same address has other bodies in another dialect
    assert named[2].public


@PATHS
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"instances": TEXT}, "instances is a text of 23 characters, where a list belongs"),
        ({}, "The body has no 'instances', but it has to"),
        (
            {"instances": [{"inputs": TEXT, "top_k": 3}]},
            "An instance has the names 'inputs', 'top_k', but beside inputs it has none",
        ),
        ({"instances": [5, TEXT]}, "Input 0: An input is int 5"),
        (
            {"instances": [TEXT], "parameters": {"top_k": []}},
            "top_k is a list, but text-classification takes a whole number or null",
        ),
    ],
)
def test_mistakes_are_refused(service, path, body, said):
    status, found = refused(service, path, body)
    assert status == 400
    assert said in found["error"]
