"""The Open Inference Protocol (KServe v2) over REST, with Triton's binary tensors and its commands for models.

Texts are tensors of BYTES, one for each name that the task reads; options are parameters, or for lists of texts tensors too.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import orjson

from headway import __version__
from headway.core.batching import TokenSequence
from headway.errors import InputError
from headway.serving.dialect import Dialect, Handler, Route
from headway.serving.dialects._asking import answered, token_sequence
from headway.serving.dialects._body import Fields
from headway.serving.dialects._kinds import option_hints, readable_options
from headway.serving.dialects._schema import ID, TEXT, TRUTH, array, either, perhaps, record
from headway.serving.dialects._tensors import Tensor, described, output_tensors, read_tensor
from headway.serving.exchange import Answers, Served
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.refusals import RefusedError
from headway.serving.service import Service
from headway.tasks import Task, TaskOptions
from headway.tasks import task as find_task

HEADER_LENGTH = "inference-header-content-length"
OF_THE_PROTOCOL = (
    "binary_data_output", "sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "content_type", "headers",
)  # fmt: skip
"""Parameters that are no options of a task."""
IDS, MASK = "input_ids", "attention_mask"
SHORT_VERSION = 12
LISTS = ("documents", "choices")
"""Roles of several texts each."""


async def infer(request: HttpRequest, service: Service) -> HttpResponse:
    """The answers to a batch of inputs, as tensors."""
    body, data = read_parts(request)
    served = find(request, service)
    parameters = body.object("parameters")
    task = find_task(parameters.optional_text("task") or served.task)
    service.find(served.name, task=task.name)
    tensors = read_tensors(body, data)
    items, named = read_items(tensors, task, served)
    asked = {name: value for name, value in parameters.values.items() if name not in (*OF_THE_PROTOCOL, "task")}
    options = readable_options(task, {**asked, **named})
    found = await answered(request, service, items, task=task, served=served, options=options)
    rows = [found.prepared.row(answer) for answer in found.plain()]
    return respond(body, found, output_tensors(found.prepared.columns, rows))


def read_parts(request: HttpRequest) -> tuple[Fields, bytes]:
    """The JSON at the beginning of a body, and the binary data behind it."""
    length = request.headers.get(HEADER_LENGTH)
    if length is None:
        return Fields.of(request.json(), "The body"), b""
    if not length.isascii() or not length.isdecimal() or int(length) > len(request.body):
        raise InputError(
            f"The header Inference-Header-Content-Length is {length!r:.30}, but the body has {len(request.body)} bytes, of which "
            "it counts the first that are JSON. Correct it."
        )
    try:
        return Fields.of(orjson.loads(request.body[: int(length)]), "The body"), request.body[int(length) :]
    except orjson.JSONDecodeError as error:
        raise RefusedError(
            f"The body's first {length} bytes are no JSON: {error}. Correct the header.", reason="unreadable"
        ) from error


def read_tensors(body: Fields, data: bytes) -> dict[str, Tensor]:
    """The inputs by name; those in binary take their part of the data in their order."""
    found: dict[str, Tensor] = {}
    for one in body.items("inputs"):
        tensor, data = read_tensor(one, data)
        if tensor.name in found:
            raise InputError(
                f"There are two inputs with the name {tensor.name!r}, so one of them would not count. Name each once."
            )
        found[tensor.name] = tensor
    if not found:
        raise InputError('There are no inputs, so nothing is asked. Send at least one: {"inputs": [{"name": "text", …}]}.')
    if data:
        raise InputError(f"{len(data)} bytes of the body belong to no input. Correct binary_data_size, or leave them out.")
    return found


def read_items(tensors: Mapping[str, Tensor], task: Task, served: Served) -> tuple[list[Any], dict[str, Any]]:
    """The inputs as the task reads them, and options that came as tensors."""
    if IDS in tensors:
        return read_ids(tensors, served), {}
    options = set(option_hints(task)) - set(task.table.roles)
    named = {name: list(tensor.values) for name, tensor in tensors.items() if name in options}
    columns = {name: rows_of(tensor) for name, tensor in tensors.items() if name not in options}
    lengths = {len(rows) for rows in columns.values()}
    if len(lengths) != 1:
        raise InputError(
            f"The inputs {', '.join(columns) or '(none)'} count different numbers of inputs ({sorted(lengths)}), but their first "
            "dimension is the same. Send one of each for every input."
        )
    if len(columns) == 1:
        ((name, rows),) = columns.items()
        takes_text = set(task.table.roles) - task.table.optional == {"text"}
        return [row if takes_text and not isinstance(row, list) else {name: row} for row in rows], named
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)], named


def rows_of(tensor: Tensor) -> list[Any]:
    """What each input has of a tensor: a text, or a list of them. Columns of one, as some clients send them, are no lists."""
    if tensor.datatype != "BYTES":
        raise InputError(f"{tensor.name} is {tensor.datatype}, but inputs are texts (BYTES), or {IDS} with {MASK} (INT64).")
    if len(tensor.shape) == 2 and tensor.shape[1] == 1 and tensor.name in ("text", "text_pair", "question", "context", "query"):
        return list(tensor.values)
    if not 1 <= len(tensor.shape) <= 2:
        raise InputError(f"{tensor.name} has the shape {list(tensor.shape)}, but inputs have one dimension, lists of texts two.")
    return list(tensor.nested())


def read_ids(tensors: Mapping[str, Tensor], served: Served) -> list[TokenSequence]:
    """Token ids, (inputs, tokens), without the padding that the mask says there is."""
    if set(tensors) - {IDS, MASK, "token_type_ids"} or any(len(tensor.shape) != 2 for tensor in tensors.values()):
        raise InputError(
            f"Beside {IDS} there may be {MASK} and token_type_ids, each (inputs, tokens). Correct their names or shapes."
        )
    if len({tensor.shape for tensor in tensors.values()}) != 1 or any("INT" not in one.datatype for one in tensors.values()):
        raise InputError(f"{IDS}, {MASK} and token_type_ids are of whole numbers and of one shape. Correct them.")
    rows = {name: tensor.nested() for name, tensor in tensors.items()}
    ids, masks, types = rows[IDS], rows.get(MASK, repeat(None)), rows.get("token_type_ids", repeat(None))
    return [_sequence(one, mask, kinds, served) for one, mask, kinds in zip(ids, masks, types, strict=False)]


def respond(body: Fields, found: Answers, tensors: Sequence[Tensor]) -> HttpResponse:
    """The outputs that were asked for, in JSON or behind it, each as it was asked for."""
    by_name = {tensor.name: tensor for tensor in tensors}
    usual = body.object("parameters").truth("binary_data_output", False)
    asked = [Fields.of(one, "an output") for one in body.items("outputs")] if body.has("outputs") else []
    wanted = {one.text("name"): one.object("parameters").truth("binary_data", usual) for one in asked}
    wanted = wanted or dict.fromkeys(by_name, usual)
    if unknown := [name for name in wanted if name not in by_name]:
        raise InputError(f"There is no output {unknown[0]!r} of {found.task} with these options. Ask for {', '.join(by_name)}.")
    parts = [by_name[name].as_binary() if binary else (by_name[name].as_json(), b"") for name, binary in wanted.items()]
    said = {"model_name": found.served.name, "model_version": found.served.version[:SHORT_VERSION]}
    said |= {"id": body.text("id")} if body.has("id") else {}
    answer = json_response({**said, "outputs": [about for about, _ in parts]})
    if not any(wanted.values()):
        return answer
    return HttpResponse(
        body=b"".join([answer.body, *(data for _, data in parts)]),
        media_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": str(len(answer.body))},
    )


async def server(request: HttpRequest, service: Service) -> HttpResponse:
    """What answers here."""
    return json_response({"name": "headway", "version": __version__, "extensions": ["binary_tensor_data", "model_repository"]})


async def live(request: HttpRequest, service: Service) -> HttpResponse:
    """Whether the process answers at all."""
    return json_response({"live": True})


async def ready(request: HttpRequest, service: Service) -> HttpResponse:
    """Whether requests are answered. The protocol calls that live here too."""
    is_ready = service.is_ready()
    return json_response({"live": is_ready, "ready": is_ready}, status=200 if is_ready else 503)


async def model_ready(request: HttpRequest, service: Service) -> HttpResponse:
    """Whether a model answers."""
    served = find(request, service)
    is_ready = service.is_ready(served.name)
    return json_response({"name": served.name, "ready": is_ready}, status=200 if is_ready else 503)


async def metadata(request: HttpRequest, service: Service) -> HttpResponse:
    """A model's inputs and outputs, with the options that its task has by default."""
    served = find(request, service)
    task = find_task(served.task)
    prepared = await service.compute(lambda: task.prepare(served.facts, _usual(task)))
    return json_response(
        {
            "name": served.name,
            "versions": [served.version[:SHORT_VERSION]],
            "platform": "onnx_onnxv1",
            "inputs": inputs_of(task),
            "outputs": described(prepared.columns),
        }
    )


async def index(request: HttpRequest, service: Service) -> HttpResponse:
    """All models."""
    return json_response(
        [
            {
                "name": one.name,
                "version": one.version[:SHORT_VERSION],
                "state": "READY" if service.is_ready(one.name) else "UNAVAILABLE",
            }
            for one in service.models()
        ]
    )


async def load(request: HttpRequest, service: Service) -> HttpResponse:
    """Load a model of the operator's list anew."""
    await service.load(request.parameters["model"])
    return json_response({})


async def unload(request: HttpRequest, service: Service) -> HttpResponse:
    """Serve a model no longer."""
    await service.unload(request.parameters["model"])
    return json_response({})


def find(request: HttpRequest, service: Service) -> Served:
    """The model, and if the path names one the version, that a request is for."""
    served = service.find(request.parameters["model"])
    version = request.parameters.get("version")
    if version not in (None, served.version, served.version[:SHORT_VERSION]):
        raise RefusedError(
            f"{served.name} is served in version {served.version[:SHORT_VERSION]}, not {version!r:.30}. Leave the version out.",
            reason="unknown_model",
        )
    return served


def inputs_of(task: Task) -> list[dict[str, Any]]:
    """The tensors that a task reads: one for each role that an input has to have; those of several texts have two dimensions."""
    roles = [role for role in task.table.roles if role not in task.table.optional or role in LISTS]
    return [{"name": role, "datatype": "BYTES", "shape": [-1, -1] if role in LISTS else [-1]} for role in roles]


def refuse(error: RefusedError) -> HttpResponse:
    """``{"error"}``."""
    return json_response({"error": str(error)}, status=400 if error.reason == "invalid" else error.status)


def _usual(task: Task) -> TaskOptions:
    """The task's options by default; where it has nothing to do without some, with these."""
    return task.choose({"candidate_labels": ["label"]} if "candidate_labels" in option_hints(task) else {})


def _sequence(ids: list[int], mask: list[int] | None, types: list[int] | None, served: Served) -> TokenSequence:
    kept = np.flatnonzero(np.asarray(mask)).tolist() if mask is not None else range(len(ids))
    found = [ids[place] for place in kept]
    if not found or min(found) < 0:
        raise InputError(f"A row of {IDS} has no token that counts, or one below 0. Send at least one token for each input.")
    read = token_sequence(found, served)
    return TokenSequence(read.ids, None if types is None or not any(types) else tuple(types[place] for place in kept))


TENSOR = record(
    "name",
    "shape",
    "datatype",
    name=TEXT,
    shape=array(ID),
    datatype={"enum": ["BYTES", "INT64", "INT32", "UINT64", "UINT32"]},
    parameters={"type": "object"},
    data=array({}),
)
REQUEST = record(
    "inputs",
    id=perhaps(TEXT),
    parameters={"type": "object", "additionalProperties": either(TEXT, TRUTH, {"type": "number"})},
    inputs=array(TENSOR, minItems=1),
    outputs=array(record("name", name=TEXT, parameters={"type": "object"})),
)
RESPONSE = record("model_name", "model_version", "outputs", model_name=TEXT, model_version=TEXT, id=TEXT, outputs=array(TENSOR))
META = record("name", "versions", "platform", "inputs", "outputs", name=TEXT, versions=array(TEXT), platform=TEXT)
READY = record("name", "ready", name=TEXT, ready=TRUTH)
MODEL = "/v2/models/{model...}"
VERSION = MODEL + "/versions/{version}"


def _get(
    path: str, handler: Handler, summary: str, *, response: dict[str, Any], public: bool = False, hidden: bool = False
) -> Route:
    return Route(method="GET", path=path, handler=handler, summary=summary, response=response, public=public, hidden=hidden)


def _infer(path: str, *, hidden: bool = False) -> Route:
    summary = "The answers to a batch of inputs, as tensors"
    return Route(method="POST", path=path, handler=infer, summary=summary, request=REQUEST, response=RESPONSE, hidden=hidden)


def _command(path: str, handler: Handler, summary: str) -> Route:
    return Route(method="POST", path=path, handler=handler, summary=summary, response={"type": "object"}, admin=True)


DIALECT = Dialect(
    name="Open Inference Protocol",
    summary="KServe's second protocol, which Triton's clients speak too.",
    routes=(
        _get("/v2", server, "What answers here", response=record("name", "version", name=TEXT, version=TEXT)),
        _get("/v2/health/live", live, "Whether the process answers", response=record("live", live=TRUTH), public=True),
        _get("/v2/health/ready", ready, "Whether requests are answered", response=record("live", live=TRUTH), public=True),
        _infer(VERSION + "/infer", hidden=True),
        _infer(MODEL + "/infer"),
        _get(VERSION + "/ready", model_ready, "Whether a model answers", response=READY, hidden=True),
        _get(MODEL + "/ready", model_ready, "Whether a model answers", response=READY),
        _get(VERSION, metadata, "A model's inputs and outputs", response=META, hidden=True),
        _get(MODEL, metadata, "A model's inputs and outputs", response=META),
        Route(
            method="POST", path="/v2/repository/index", handler=index, summary="All models", response=array({"type": "object"})
        ),
        _command("/v2/repository/models/{model...}/load", load, "Load a model anew"),
        _command("/v2/repository/models/{model...}/unload", unload, "Serve a model no longer"),
    ),
    refuse=refuse,
)
