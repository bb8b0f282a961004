"""The OpenAPI document holds every route and every task, and what it says of an answer is so."""

import dataclasses
import json
import re

import pytest

from headway.serving.dialects._kinds import fits, schema_of
from headway.serving.openapi import document
from headway.serving.page import files
from headway.tasks import task as find_task
from headway.tasks import task_names
from serving.dialects.in_process import ROUTES, get, post, send

DOCUMENT = document(ROUTES.dialects)
OPERATIONS = {(method, path): said for path, methods in DOCUMENT["paths"].items() for method, said in methods.items()}


def test_it_is_served_where_clients_look(service):
    assert get(service, "/openapi.json") == json.loads(json.dumps(DOCUMENT))
    assert get(service, "/api-doc/openapi.json") == get(service, "/openapi.json")


def test_every_route_that_is_not_another_spelling_is_in_it():
    shown = {
        (route.method.lower(), route.path.replace("...", ""))
        for dialect in ROUTES.dialects
        for route in dialect.routes
        if not route.hidden and route.path != "/tasks/{task}"
    }
    assert shown <= set(OPERATIONS)
    assert {("post", f"/tasks/{name}") for name in task_names()} <= set(OPERATIONS)


def test_operations_have_names_of_their_own_and_a_summary():
    names = [said["operationId"] for said in OPERATIONS.values()]
    assert len(names) == len(set(names))
    assert all(said["summary"] and said["tags"] for said in OPERATIONS.values())
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for said in OPERATIONS.values() for tag in said["tags"]} == tags


def test_names_in_paths_are_parameters():
    for (_, path), said in OPERATIONS.items():
        assert [one["name"] for one in said["parameters"]] == [part.split("}")[0] for part in path.split("{")[1:]]


@pytest.mark.parametrize("name", task_names())
def test_options_of_a_task_are_described_with_their_defaults(name):
    task = find_task(name)
    schema = DOCUMENT["components"]["schemas"][f"{name}-options"]
    fields = {field.name for field in dataclasses.fields(task.options)} - {"return_tensors"}
    assert set(schema["properties"]) == fields
    assert schema["properties"]["overflow"]["enum"] == ["truncate", "window", "error"]
    assert all(one["description"].endswith((".", "?")) for one in schema["properties"].values())
    assert schema["properties"]["max_length"]["default"] is None
    body = OPERATIONS["post", f"/tasks/{name}"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["options"] == {"$ref": f"#/components/schemas/{name}-options"}


def test_one_address_of_two_dialects_takes_either_body():
    either = OPERATIONS["post", "/rerank"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert sorted(tuple(one["required"]) for one in either) == [("query", "documents"), ("query", "texts")]


def test_refusals_are_shown_in_the_words_of_each_dialect():
    for path, names in {
        "/predict": {"error", "error_type"},
        "/v1/embeddings": {"error"},
        "/v2/rerank": {"message", "detail"},
    }.items():
        refused = OPERATIONS["post", path]["responses"]["default"]["content"]["application/json"]
        assert set(refused["example"]) == set(refused["schema"]["properties"]) == names


def test_probes_need_no_key_and_others_do():
    assert OPERATIONS["get", "/health"]["security"] == []
    assert OPERATIONS["post", "/embed"]["security"] == [{"key": []}, {}]


@pytest.mark.parametrize(
    ("hint", "schema", "values", "others"),
    [
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}, [3, None], ["3", True, 3.0, []]),
        (bool, {"type": "boolean"}, [True], [1, "true", None]),
        (float, {"type": "number"}, [1, 0.5], [True, "1"]),
        (tuple[str, ...], {"type": "array", "items": {"type": "string"}}, [[], ["a"]], ["a", [1], None]),
    ],
)
def test_types_are_schemas_and_checks(hint, schema, values, others):
    assert schema_of(hint) == schema
    assert all(fits(value, hint) for value in values)
    assert not any(fits(value, hint) for value in others)


def test_tasks_say_what_they_read_and_which_models_do_them(service):
    found = {one["task"]: one for one in get(service, "/tasks")}
    assert sorted(found) == task_names()
    assert found["question-answering"]["reads"] == ["question", "context"]
    assert found["text-classification"]["models"] == ["mood", "judge", "ranker"]
    assert found["fill-mask"]["options"] == DOCUMENT["components"]["schemas"]["fill-mask-options"]
    del service.by_name["filler"]
    assert "fill-mask" not in {one["task"] for one in get(service, "/tasks")}


def test_pages_come_from_a_list_of_files(service):
    for path, kind in {
        "/docs": "text/html",
        "/page/app.js": "text/javascript",
        "/page/docs.js": "text/javascript",
        "/page/style.css": "text/css",
    }.items():
        found = send(service, "GET", path)
        assert (found.status, found.media_type) == (200, f"{kind}; charset=utf-8")
        assert "default-src 'self'" in found.headers["content-security-policy"]
    for path in ("/page/__init__.py", "/page/..", "/page/%2e%2e", "/page/../openapi.py"):
        assert send(service, "GET", path).status == 404


def test_pages_load_nothing_from_elsewhere(service):
    for name in files():
        text = send(service, "GET", f"/page/{name}").body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
        assert not re.search(r"\son\w+=|innerHTML|eval\(", text)  # texts never become markup or code


def test_a_refused_body_is_as_the_document_says(service):
    assert post(service, "/predict", {"inputs": "a"})
    found = json.loads(send(service, "POST", "/predict", {"inputs": 3}).body)
    assert set(found) == {"error", "error_type"}


def test_the_root_is_a_page_for_browsers_and_a_probe_for_others(service):
    browser = send(service, "GET", "/", headers={"accept": "text/html,application/xhtml+xml"})
    assert browser.media_type == "text/html; charset=utf-8"
    assert b"Try a model" in browser.body
    probe = send(service, "GET", "/", headers={"accept": "*/*"})
    assert (probe.status, probe.body) == (200, b"")
    service.ready = False
    assert send(service, "GET", "/").status == 503
