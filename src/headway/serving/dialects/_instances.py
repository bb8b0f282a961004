"""Instances in, predictions out: what KServe's first protocol and Vertex AI share."""

from collections.abc import Mapping
from typing import Any

from headway.errors import InputError
from headway.serving.dialects import hugging_face
from headway.serving.dialects._asking import as_pipeline
from headway.serving.dialects._body import Fields, read_object
from headway.serving.dialects._schema import array, record
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.service import Service

REQUEST = record("instances", instances=array({}), parameters={"type": "object"})
RESPONSE = record("predictions", predictions=array({}))


async def predict(request: HttpRequest, service: Service) -> HttpResponse:
    """A prediction for each instance, in order: what ``pipeline()`` answers it with. ``parameters`` hold for all of them."""
    body = read_object(request)
    name = "inputs" if body.has("inputs") and not body.has("instances") else "instances"
    instances, options = [_input(one) for one in body.items(name)], body.object("parameters").values
    task, model = _meant(service, instances, options, model=request.parameters.get("model"))
    found = await as_pipeline(request, service, inputs=instances, options=options, task=task, model=model)
    return json_response({"predictions": found.each()})


def _meant(service: Service, instances: list[Any], options: Mapping[str, Any], *, model: str | None) -> tuple[str, str]:
    """The task and the model, as Hugging Face's dialect finds them."""
    asked = Fields({"inputs": instances, "parameters": options})
    served = hugging_face.meant(service, asked, model=model, task=None)
    return hugging_face.shape_of(asked) or served.task, served.name


def _input(instance: Any) -> Any:
    """An instance, which may stand under ``inputs`` as in Hugging Face's requests."""
    if not isinstance(instance, dict) or "inputs" not in instance:
        return instance
    if set(instance) != {"inputs"}:
        raise InputError(
            f"An instance has the names {', '.join(map(repr, instance))}, but beside inputs it has none. Options for all of them "
            'stand beside the instances: {"instances": […], "parameters": {…}}.'
        )
    return instance["inputs"]
