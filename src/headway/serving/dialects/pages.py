"""Pages for people, and the OpenAPI document: what a browser reads here."""

from collections.abc import Callable
from functools import cache

from headway.core import registry
from headway.serving.dialect import Dialect, Handler, Route
from headway.serving.dialects.hugging_face import refuse
from headway.serving.dialects.text_embeddings_inference import health
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.openapi import document
from headway.serving.page import files
from headway.serving.refusals import RefusedError
from headway.serving.routing import DIALECTS
from headway.serving.service import Service

SAFE = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
"""What a browser may do with a page: load what is from here, and nothing else."""


async def openapi(request: HttpRequest, service: Service) -> HttpResponse:
    """The OpenAPI document of all dialects."""
    return await service.compute(_document)


async def home(request: HttpRequest, service: Service) -> HttpResponse:
    """The page to try models."""
    return page("index.html")


async def docs(request: HttpRequest, service: Service) -> HttpResponse:
    """The page that shows it."""
    return page("docs.html")


async def file(request: HttpRequest, service: Service) -> HttpResponse:
    """A script, a style sheet or a picture of the pages."""
    return page(request.parameters["file"])


@cache
def _document() -> HttpResponse:
    return json_response(document(list(registry.load_all(DIALECTS, "DIALECT"))))


def page(name: str) -> HttpResponse:
    """One of the pages' files; a name is looked up in the list of them, never on the disk."""
    if name not in files():
        raise RefusedError(f"There is no file {name!r} here. The pages are at / and /docs.", reason="unknown_route")
    body, media_type = files()[name]
    return HttpResponse(body=body, media_type=media_type, headers=SAFE)


def wants_html(request: HttpRequest) -> bool:
    """Whether a person's browser asks, and no probe."""
    return "text/html" in request.headers.get("accept", "")


def _get(path: str, handler: Handler, *, accepts: Callable[[HttpRequest], bool] | None = None) -> Route:
    return Route(method="GET", path=path, handler=handler, summary="", accepts=accepts, public=True, hidden=True)


DIALECT = Dialect(
    name="Pages",
    summary="For people, and for programs that want to know what there is.",
    routes=(
        Route(method="GET", path="/openapi.json", handler=openapi, summary="This document", response={}, public=True),
        _get("/api-doc/openapi.json", openapi),
        _get("/docs", docs),
        _get("/page/{file}", file),
        _get("/", home, accepts=wants_html),
        _get("/", health),
    ),
    refuse=refuse,
)
