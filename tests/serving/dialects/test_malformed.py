"""Whatever is sent: an answer, or a refusal in the form of the dialect; nothing else is raised, no fault is the server's."""

import asyncio
import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.serving.http import HttpRequest
from headway.serving.refusals import RefusedError
from headway.serving.routing import respond
from serving.dialects.bodies import BASES
from serving.dialects.in_process import ROUTES, PipelineService, post, send

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 50),
    st.sampled_from([2**31, 2**63, -(2**63), 0.5, 1e308, -0.0]),
    st.sampled_from(["", "a", "label", "auto", "[MASK]", "text", "{}", "mood", "\ud7ff\uffff", "x" * 300]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "name", "data", "a"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value, path=()):
    """Where something stands in a body, from the outside in."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*path, key))


@st.composite
def changed_bodies(draw):
    """A route with a body of which one or two values are others, or are not there."""
    path = draw(st.sampled_from(sorted(BASES)))
    whole = {"body": copy.deepcopy(BASES[path])}
    for _ in range(draw(st.integers(1, 2))):
        *outer, last = draw(st.sampled_from([place for place in places(whole) if place]))
        inner = whole
        for key in outer:
            inner = inner[key]
        if isinstance(inner, dict) and draw(st.booleans()) and len(outer):
            del inner[last]
        else:
            inner[last] = draw(VALUES)
    return path, whole["body"]


def check(found, dialect):
    """An answer, or a refusal of the client's mistake in the dialect's form."""
    assert found.status == 200 or 400 <= found.status < 500, found.body
    assert found.status == 200 or shape(json.loads(found.body)) in [
        shape(json.loads(dialect.refuse(error).body)) for error in ERRORS
    ]


def shape(value):
    """The names in a body."""
    return {name: shape(inner) for name, inner in value.items()} if isinstance(value, dict) else None


ERRORS = [RefusedError("no", reason=reason) for reason in ("invalid", "unreadable", "wrong_task", "unknown_model")]


@pytest.fixture(scope="module")
def everything(models):
    return PipelineService(list(models.values()))


@pytest.mark.parametrize("path", BASES)
def test_the_bodies_that_are_changed_are_answered(everything, path):
    if path == "/embed_sparse":
        assert send(everything, "POST", path, BASES[path]).status == 424
    elif path.endswith("/infer") and "outputs" in BASES[path]:
        assert send(everything, "POST", path, BASES[path]).status == 200
    else:
        post(everything, path, BASES[path])


def test_every_route_with_a_body_is_tried():
    requests = [HttpRequest(method="POST", path=path, body=json.dumps(body).encode()) for path, body in BASES.items()]
    tried = {ROUTES.find(request)[0].path for request in requests}
    routes = [route for dialect in ROUTES.dialects for route in dialect.routes]
    assert {route.path for route in routes if route.request is not None and not route.hidden} <= tried


@pytest.mark.filterwarnings("ignore:The target .* token")  # what fill-mask says to those who call it from Python
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(asked=changed_bodies())
def test_changed_bodies_are_answered_or_refused(everything, asked):
    path, body = asked
    request = HttpRequest(method="POST", path=path, body=json.dumps(body).encode())
    _, dialect, _ = ROUTES.find(request)
    check(asyncio.run(respond(request, everything, routes=ROUTES)), dialect)


@settings(max_examples=60)
@given(path=st.sampled_from(sorted(BASES)), body=st.binary(max_size=20) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_answered_or_refused(everything, path, body):
    request = HttpRequest(method="POST", path=path, body=body, headers={"inference-header-content-length": "3"})
    _, dialect, _ = ROUTES.find(request)
    check(asyncio.run(respond(request, everything, routes=ROUTES)), dialect)


@pytest.mark.parametrize(
    "body", [b"[" * 5000, b'{"inputs":' * 5000, b'{"inputs": "\xff"}', b'{"inputs": "\\ud800"}', b'{"inputs": NaN}']
)
@pytest.mark.parametrize("path", ["/", "/predict", "/v1/embeddings", "/v2/models/mood/infer", "/tasks/text-classification"])
def test_what_is_no_json_is_unreadable(everything, path, body):
    assert send(everything, "POST", path, body).status == 400
