"""Hugging Face Inference: what ``huggingface_hub.InferenceClient`` sends, of 0.36 and of 1.x and later, for all tasks.

The client posts to whatever address it was given, so that a task is known from the path, or else from the body. Zero-shot answers
differ by the client's version, which it names in ``User-Agent``: each breaks on the other's.
"""

import re
from collections.abc import Mapping
from typing import Any

from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._asking import Presented, as_pipeline, overflow
from headway.serving.dialects._body import Fields, read_object
from headway.serving.dialects._kinds import option_hints
from headway.serving.dialects._timings import characters_in, timing_headers
from headway.serving.exchange import Served
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.refusals import RefusedError
from headway.serving.service import Service
from headway.tasks import Task
from headway.tasks import task as find_task

CLIENT = re.compile(r"\bhf_hub/(\d+)")
OWN_CLIENTS = ("hf_hub/", "@huggingface/inference/")
"""How Hugging Face's own clients, Python's and JavaScript's, name themselves."""
SHAPES: Mapping[frozenset[str], str] = {
    frozenset({"question", "context"}): "question-answering",
    frozenset({"source_sentence", "sentences"}): "sentence-similarity",
    frozenset({"query", "documents"}): "text-ranking",
    frozenset({"query", "texts"}): "text-ranking",
    frozenset({"prompt", "choices"}): "multiple-choice",
    frozenset({"text", "next_sentence"}): "next-sentence-prediction",
}
"""Inputs that only one task reads, by their names."""
VECTORS = ("sentence-embeddings", "feature-extraction")
VECTOR_OPTIONS = {"normalize": "normalize", "prompt_name": "prompt_name", "dimensions": "truncate_dim"}
"""Options of embeddings, which stand beside the inputs, and what they are called here."""
USUAL: Mapping[str, Mapping[str, Any]] = {
    "text-classification": {"top_k": None},
    "token-classification": {"aggregation_strategy": "simple"},
}
"""What Hugging Face's servers do unless told otherwise, where it is not what ``pipeline()`` does."""
LOADING_SECONDS = 20.0


async def answer(request: HttpRequest, service: Service) -> HttpResponse:
    """Any task, by any address: the model and the task from the path if they are in it."""
    body = read_object(request)
    model, task = request.parameters.get("model"), request.parameters.get("task")
    task = None if task is None else find_task(task).name
    served = meant(service, body, model=model, task=task)
    task = _of_vectors(served, task or shape_of(body) or served.task)
    found = await as_pipeline(
        request, service, inputs=body.any("inputs"), options=options_of(body, task), task=task, model=served.name
    )
    timed = timing_headers([found.answers] if found.answers else [], characters=characters_in(body.values["inputs"]))
    return json_response(worded(found, task, request.headers.get("user-agent", "")), headers=timed)


def meant(service: Service, body: Fields, *, model: str | None, task: str | None) -> Served:
    """The model that a request is for: the one it names, else the first that does what the request asks for."""
    asked = task or shape_of(body)
    if model is not None or asked is not None:
        return service.find(model, task=asked)
    parameters = body.object("parameters").values
    able = [served for served in service.models() if _takes(find_task(served.task), parameters)]
    return service.find(able[0].name if able else None)


def shape_of(body: Fields) -> str | None:
    """The task that alone reads such inputs, if there is one."""
    inputs = body.values.get("inputs")
    first = inputs[0] if isinstance(inputs, list) and inputs else inputs
    if body.object("parameters").has("candidate_labels"):
        return "zero-shot-classification"
    return SHAPES.get(frozenset(first)) if isinstance(first, dict) else None


def options_of(body: Fields, task: str) -> dict[str, Any]:
    """The task's options: the ``parameters``, over what Hugging Face's servers do by default."""
    given = {**USUAL.get(task, {}), **body.object("parameters").values}
    if task in VECTORS and not body.has("parameters"):
        given |= {ours: body.values[theirs] for theirs, ours in VECTOR_OPTIONS.items() if body.has(theirs)} | overflow(body)
        if task == "feature-extraction" and {"normalize", "truncate_dim"} & {*given}:
            given["pooling"] = "auto"  # both are of one vector a text
    return given


def worded(found: Presented, task: str, user_agent: str) -> Any:
    """The answers as the client reads them: labels in a list of lists, and those of zero-shot by the client's version."""
    value = found.value
    if task == "text-classification" and found.kind != "list":
        return [value if isinstance(value, list) else [value]]
    if task == "zero-shot-classification" and hub_major(user_agent) != 0:
        return [labels_with_scores(one) for one in value] if found.kind == "list" else labels_with_scores(value)
    return value


def labels_with_scores(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A zero-shot answer as a list of labels."""
    return [{"label": label, "score": score} for label, score in zip(answer["labels"], answer["scores"], strict=True)]


def hub_major(user_agent: str) -> int | None:
    """The major version of huggingface_hub that a client says it is; None for other clients."""
    found = CLIENT.search(user_agent)
    return None if found is None else int(found[1])


def is_own_client(request: HttpRequest) -> bool:
    """Whether a client of Hugging Face's asks."""
    return any(name in request.headers.get("user-agent", "") for name in OWN_CLIENTS)


def refuse(error: RefusedError) -> HttpResponse:
    """``{"error"}``, which the client shows; a model that is not there yet comes with the seconds until it may be."""
    status = 400 if error.reason == "invalid" else error.status
    said: dict[str, Any] = {"error": str(error)}
    if error.reason == "not_ready":
        said["estimated_time"] = LOADING_SECONDS if error.retry_after is None else error.retry_after
    return json_response(said, status=status)


def _takes(task: Task, parameters: Mapping[str, Any]) -> bool:
    """Whether a task reads a text alone, and knows these parameters."""
    required = set(task.table.roles) - task.table.optional
    return required == {"text"} and set(task.translate(parameters)) <= set(option_hints(task))


def _of_vectors(served: Served, task: str) -> str:
    """Features of a model that was made for sentences are vectors of sentences, as Hugging Face's servers have it."""
    return "sentence-embeddings" if task == "feature-extraction" and served.task == "sentence-embeddings" else task


async def health(request: HttpRequest, service: Service) -> HttpResponse:
    """Empty, and 200 while the model answers: what ``health_check()`` looks at."""
    served = service.find(request.parameters["model"])
    return HttpResponse(status=200 if service.is_ready(served.name) else 503, media_type="text/plain")


INPUTS = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "inputs": {"description": "A text, another form of input that the task reads, or a list of these."},
        "parameters": {"type": "object", "description": "Options of the task, as pipeline() takes them."},
    },
}


def _route(path: str, summary: str) -> Route:
    return Route(method="POST", path=path, handler=answer, summary=summary, request=INPUTS, response={})


DIALECT = Dialect(
    name="Hugging Face Inference",
    summary="Every task, as huggingface_hub's InferenceClient asks for it.",
    routes=(
        _route("/models/{model...}/pipeline/{task}", "A task of a model"),
        _route("/pipeline/{task}/{model...}", "A task of a model"),
        _route("/pipeline/{task}", "A task of the first model that does it"),
        Route(method="GET", path="/models/{model...}/health", handler=health, summary="Whether a model answers", public=True),
        _route("/models/{model...}", "A model's own task"),
        _route("/", "Whatever the first fitting model does"),
    ),
    refuse=refuse,
)
