"""Requests that schemathesis makes from the OpenAPI document: none is the server's fault, and answers are as it says."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from headway.serving.openapi import document
from serving.dialects.in_process import ROUTES, Loopback, PipelineService

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
ADMIN = ("load", "unload")
PATHS = [
    (path, method)
    for path, methods in document(ROUTES.dialects)["paths"].items()
    for method in methods
    if not path.endswith(ADMIN)
]


@pytest.fixture(scope="module")
def schema(models):
    with Loopback(PipelineService(list(models.values()))) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


@pytest.mark.parametrize(("path", "method"), PATHS)
def test_requests_of_the_document(schema, path, method):
    @settings(max_examples=4, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method].as_strategy())
    def ask(case):
        case.call_and_validate(checks=CHECKS)

    ask()
