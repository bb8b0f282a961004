"""OpenAI's API as far as encoders have a part in it: embeddings and the list of models."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._asking import answered, only_or_named, token_sequence
from headway.serving.dialects._body import Fields, is_ids, is_text, read_object
from headway.serving.dialects._schema import COUNT, TEXT, TEXTS_OR_IDS, USAGE, VECTOR, array, either, perhaps, record
from headway.serving.dialects._timings import characters_in, timing_headers
from headway.serving.dialects.text_embeddings_inference import check_dimensions
from headway.serving.exchange import Served
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.refusals import Reason, RefusedError
from headway.serving.service import Service
from headway.tasks import task as find_task

TASK = "sentence-embeddings"
STATUS: Mapping[Reason, int] = {"invalid": 400, "unreadable": 400}
"""Statuses that are not the usual ones."""
TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "service_unavailable",
    504: "timeout",
}
CODES: Mapping[Reason, str] = {
    "unknown_model": "model_not_found",
    "unauthorized": "invalid_api_key",
    "overloaded": "rate_limit_exceeded",
    "too_many_inputs": "too_many_inputs",
}


async def embeddings(request: HttpRequest, service: Service) -> HttpResponse:
    """A vector for each text, or for each list of token ids: numbers, or their bytes in base64."""
    body = read_object(request)
    served = only_or_named(service, body.optional_text("model"), task=TASK)
    items = read_input(body, served)
    in_base64 = body.choice("encoding_format", ("float", "base64")) == "base64"
    dimensions = body.optional_count("dimensions")
    options = {"normalize": True, "truncate_dim": dimensions}
    found = await answered(request, service, items, task=find_task(TASK), served=served, options=options)
    vectors = found.plain()
    check_dimensions(vectors, dimensions)
    data = [
        {"object": "embedding", "index": index, "embedding": in_bytes(vector) if in_base64 else vector}
        for index, vector in enumerate(vectors)
    ]
    answer = {"object": "list", "data": data, "model": served.name, "usage": usage(found.tokens)}
    return json_response(answer, headers=timing_headers([found], characters=characters_in(body.values["input"])))


async def models(request: HttpRequest, service: Service) -> HttpResponse:
    """All models, the list of KServe's first protocol among them, which has the same address."""
    served = service.models()
    return json_response({"object": "list", "data": [about(one) for one in served], "models": [one.name for one in served]})


async def model(request: HttpRequest, service: Service) -> HttpResponse:
    """One model, with what KServe's first protocol says of it."""
    served = service.find(request.parameters["model"])
    return json_response({**about(served), "name": served.name, "ready": service.is_ready(served.name)})


def about(served: Served) -> dict[str, Any]:
    """A model as the list has it; tasks and what else there is to choose by stand beside OpenAI's own fields."""
    return {
        "id": served.name,
        "object": "model",
        "created": int(served.loaded_at),
        "owned_by": "headway",
        "task": served.task,
        "tasks": list(served.tasks),
        "max_tokens": served.max_tokens,
        **({"mask_token": served.tokenizer.mask_token} if "fill-mask" in served.tasks else {}),
    }


def read_input(body: Fields, served: Served) -> list[Any]:
    """Texts, or token sequences in place of a text; one of them, or a list."""
    value = body.any("input")
    found = [value] if is_text(value) or is_ids(value) else value
    if not isinstance(found, list) or not found or not all(is_text(one) or is_ids(one) for one in found):
        body.refuse("input", "a text, a list of token ids, or a list of either that is not empty")
    return [one if is_text(one) else token_sequence(one, served) for one in found]


def in_bytes(vector: Sequence[float]) -> str:
    """Numbers of 32 bits, the lowest byte first, in base64."""
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()


def usage(tokens: int) -> dict[str, int]:
    """What was read."""
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def refuse(error: RefusedError) -> HttpResponse:
    """``{"error": {"message", "type", "param", "code"}}``."""
    status = STATUS.get(error.reason, error.status)
    kind = TYPES.get(status, "invalid_request_error")
    said = {"message": str(error), "type": kind, "param": None, "code": CODES.get(error.reason)}
    return json_response({"error": said}, status=status)


EMBEDDINGS = record(
    "input",
    input=TEXTS_OR_IDS,
    model=perhaps(TEXT),
    encoding_format=perhaps({"enum": ["float", "base64"]}),
    dimensions=perhaps(COUNT),
    user=perhaps(TEXT),
)
EMBEDDED = record(
    "object",
    "data",
    "model",
    "usage",
    object={"const": "list"},
    data=array(record("object", "index", "embedding", object={"const": "embedding"}, embedding=either(VECTOR, TEXT))),
    model=TEXT,
    usage=USAGE,
)
MODEL = record("id", "object", id=TEXT, object={"const": "model"})
MODELS = record("object", "data", object={"const": "list"}, data=array(MODEL))


def _embeddings(path: str, *, hidden: bool) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=embeddings,
        summary="A vector for each text",
        request=EMBEDDINGS,
        response=EMBEDDED,
        hidden=hidden,
    )


DIALECT = Dialect(
    name="OpenAI",
    summary="Embeddings and the list of models, as OpenAI's clients ask for them.",
    routes=(
        _embeddings("/v1/embeddings", hidden=False),
        _embeddings("/embeddings", hidden=True),
        Route(method="GET", path="/v1/models", handler=models, summary="All models", response=MODELS),
        Route(method="GET", path="/models", handler=models, summary="All models", response=MODELS, hidden=True),
        Route(method="GET", path="/v1/models/{model...}", handler=model, summary="One model", response=MODEL),
    ),
    refuse=refuse,
)
