"""For those who run the server: is it alive, is it ready, and loading and unloading models while it runs.

A request names a model of the operator's list, never a file: what is loaded stands in the command that started the server.
"""

from headway.serving.dialect import Dialect, Route
from headway.serving.exchange import Served
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.refusals import RefusedError
from headway.serving.service import Service

SHOWN = {"type": "object", "required": ["models"]}


async def live(request: HttpRequest, service: Service) -> HttpResponse:
    """That the process answers at all."""
    return json_response({"live": True})


async def ready(request: HttpRequest, service: Service) -> HttpResponse:
    """Whether requests should be sent here."""
    if not service.is_ready():
        raise RefusedError("The server is starting, or is being stopped, or lacks a model. Ask another one.", reason="not_ready")
    return json_response({"ready": True})


async def models(request: HttpRequest, service: Service) -> HttpResponse:
    """What is loaded, with its versions."""
    return json_response({"models": [about(served) for served in service.models()]})


async def load(request: HttpRequest, service: Service) -> HttpResponse:
    """Load a model of the list anew; it answers once it has passed its self-test."""
    found = await service.load(request.parameters["model"])
    return json_response({"models": [about(served) for served in found]})


async def unload(request: HttpRequest, service: Service) -> HttpResponse:
    """Serve a model no longer."""
    await service.unload(request.parameters["model"])
    return await models(request, service)


def about(served: Served) -> dict[str, object]:
    """A model in a few words."""
    return {
        "name": served.name,
        "version": served.version,
        "tasks": served.tasks,
        "precision": served.precision,
        "loaded_at": served.loaded_at,
    }


def refuse(error: RefusedError) -> HttpResponse:
    """A plain message."""
    return json_response({"error": str(error)}, status=error.status)


DIALECT = Dialect(
    name="Operations",
    summary="Probes, and loading and unloading models while the server runs.",
    routes=(
        Route(method="GET", path="/live", handler=live, summary="Whether the process answers", response={}, public=True),
        Route(method="GET", path="/ready", handler=ready, summary="Whether requests are answered", response={}, public=True),
        Route(method="GET", path="/admin/models", handler=models, summary="What is loaded", response=SHOWN, admin=True),
        Route(
            method="POST",
            path="/admin/models/{model...}/load",
            handler=load,
            summary="Load a model anew",
            response=SHOWN,
            admin=True,
        ),
        Route(
            method="POST",
            path="/admin/models/{model...}/unload",
            handler=unload,
            summary="Unload a model",
            response=SHOWN,
            admin=True,
        ),
    ),
    refuse=refuse,
)
