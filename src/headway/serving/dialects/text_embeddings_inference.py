"""text-embeddings-inference 1.9: its routes, bodies, errors, headers and limits, for classifiers, rerankers and embeddings.

What differs is that labels which exclude nothing get sigmoid, as in ``pipeline()``, where that server applies softmax to all; and
that a body may name one of several models (``model``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from headway import __version__
from headway.errors import InputError
from headway.serving.dialect import Dialect, Handler, Route
from headway.serving.dialects import hugging_face
from headway.serving.dialects._asking import answered, overflow, token_sequence
from headway.serving.dialects._body import Fields, holds, is_ids, is_text, is_texts, read_object, shown
from headway.serving.dialects._schema import (
    COUNT,
    ID,
    IDS,
    LABELS,
    NUMBER,
    TEXT,
    TEXTS,
    TEXTS_OR_IDS,
    TRUTH,
    VECTOR,
    Schema,
    array,
    either,
    perhaps,
    record,
)
from headway.serving.dialects._timings import characters_in, timing_headers
from headway.serving.dialects._tokens import decoded, pooling_of, tokens_of
from headway.serving.exchange import Answers, Served
from headway.serving.http import HttpRequest, HttpResponse, json_response, text_response
from headway.serving.refusals import Reason, RefusedError
from headway.serving.service import Service
from headway.tasks import task as find_task

ERRORS: Mapping[Reason, tuple[int, str]] = {
    "not_ready": (503, "Unhealthy"),
    "failed": (424, "Backend"),
    "wrong_task": (424, "Backend"),
    "overloaded": (429, "Overloaded"),
    "too_many_inputs": (422, "Validation"),
    "invalid": (422, "Validation"),
}
"""Status and ``error_type``; what is not here has its usual status and is ``Validation``."""


class EmptyError(RefusedError):
    """Nothing to answer, which is a kind of its own here."""


async def predict(request: HttpRequest, service: Service) -> HttpResponse:
    """The labels of a text, of a pair, or of a list of lists with one or two texts each."""
    body = read_object(request)
    items, is_batch = read_predictions(body)
    check_batch(len(items), service)
    options = {**overflow(body), "top_k": None, **({"function_to_apply": "none"} if body.truth("raw_scores", False) else {})}
    found = await _ask(request, service, body, items, task="text-classification", options=options)
    return _timed(found.presented("list" if is_batch else "item"), found, body)


async def rerank(request: HttpRequest, service: Service) -> HttpResponse:
    """Texts in the order of how well they answer a query."""
    body = read_object(request)
    query, texts = body.text("query"), body.texts("texts")
    check_some(texts, "texts")
    check_batch(len(texts), service)
    options = {**overflow(body), "function_to_apply": "none" if body.truth("raw_scores", False) else "sigmoid"}
    returns_text = body.truth("return_text", False)
    found = await _ask(request, service, body, [{"query": query, "documents": texts}], task="text-ranking", options=options)
    ranks = [
        {"index": one["corpus_id"], **({"text": texts[one["corpus_id"]]} if returns_text else {}), "score": one["score"]}
        for one in found.plain()[0]
    ]
    return _timed(ranks, found, body)


async def embed(request: HttpRequest, service: Service) -> HttpResponse:
    """A vector for each input, in a list also where there is one."""
    body = read_object(request)
    dimensions = body.optional_count("dimensions")
    options = {"normalize": body.truth("normalize", True), "truncate_dim": dimensions}
    found = await _embed(request, service, body, task="sentence-embeddings", options=options)
    vectors = found.plain()
    check_dimensions(vectors, dimensions)
    return _timed(vectors, found, body)


async def embed_all(request: HttpRequest, service: Service) -> HttpResponse:
    """A vector for each token of each input."""
    body = read_object(request)
    found = await _embed(request, service, body, task="feature-extraction", options={"pooling": "none"})
    return _timed([features[0] for features in found.plain()], found, body)


async def embed_sparse(request: HttpRequest, service: Service) -> HttpResponse:
    """Refused, as that server does for models that are not SPLADE."""
    raise RefusedError(
        "Backend error: Model is not an embedding model with SPLADE pooling, so it has no sparse vectors. Use /embed instead.",
        reason="wrong_task",
    )


async def similarity(request: HttpRequest, service: Service) -> HttpResponse:
    """The cosines of a text's vector and those of others."""
    body = read_object(request)
    inputs, parameters = Fields.of(body.any("inputs"), "inputs"), body.object("parameters")
    source, sentences = inputs.text("source_sentence"), inputs.texts("sentences")
    check_some(sentences, "inputs.sentences")
    check_batch(len(sentences) + 1, service)
    options = {**overflow(parameters), **_prompt(parameters), "similarity": "cosine"}
    item = {"source_sentence": source, "sentences": sentences}
    found = await _ask(request, service, body, [item], task="sentence-similarity", options=options)
    return _timed(found.plain()[0], found, body)


async def tokenize(request: HttpRequest, service: Service) -> HttpResponse:
    """The tokens of texts, with their places in bytes."""
    body = read_object(request)
    texts = body.text_or_texts("inputs")
    check_some(texts, "inputs")
    check_batch(len(texts), service)
    served = service.find(body.optional_text("model"))
    special, prompt = body.truth("add_special_tokens", True), body.optional_text("prompt_name")
    return json_response(await service.compute(lambda: tokens_of(texts, served, special=special, prompt_name=prompt)))


async def decode(request: HttpRequest, service: Service) -> HttpResponse:
    """The texts that token ids stand for."""
    body = read_object(request)
    ids = body.items("ids")
    check_some(ids, "ids")
    sequences = [ids] if is_ids(ids) else ids
    if not all(is_ids(one) or one == [] for one in sequences):
        body.refuse("ids", "a list of token ids, or a list of such lists")
    check_batch(len(sequences), service)
    served, skip = service.find(body.optional_text("model")), body.truth("skip_special_tokens", True)
    return json_response(await service.compute(lambda: decoded(sequences, served, skip_special_tokens=skip)))


async def root(request: HttpRequest, service: Service) -> HttpResponse:
    """What the first model does: labels, ranks or vectors in this dialect; any other task in Hugging Face's."""
    body = read_object(request)
    if body.has("texts"):
        return await rerank(request, service)
    task = hugging_face.shape_of(body) or hugging_face.meant(service, body, model=None, task=None).task
    return await AT_ROOT.get(task, hugging_face.answer)(request, service)


async def info(request: HttpRequest, service: Service) -> HttpResponse:
    """What is served, and its limits."""
    served, limits = service.find(request.query().get("model") or request.parameters.get("model")), service.limits
    kind = await service.compute(lambda: model_type(served))
    return json_response(
        {
            "model_id": served.name,
            "model_sha": served.revision,
            "model_dtype": {"fp32": "float32"}.get(served.precision, served.precision),
            "served_model_name": served.name,
            "model_type": kind,
            "max_concurrent_requests": limits.max_concurrent_requests,
            "max_input_length": served.max_tokens,
            "max_batch_tokens": limits.max_batch_tokens,
            "max_batch_requests": None,
            "max_client_batch_size": limits.max_client_batch_size,
            "auto_truncate": True,
            "tokenization_workers": 1,
            "version": __version__,
            "sha": None,
            "docker_label": None,
        }
    )


async def health(request: HttpRequest, service: Service) -> HttpResponse:
    """Empty while requests are answered."""
    if service.is_ready():
        return HttpResponse(media_type="text/plain")
    raise RefusedError("unhealthy", reason="not_ready")


async def metrics(request: HttpRequest, service: Service) -> HttpResponse:
    """The server's counters, for Prometheus."""
    return text_response(service.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


def is_ours(request: HttpRequest) -> bool:
    """Whether a request to the root is in this dialect: Hugging Face's has ``parameters``, or comes from its client."""
    return holds("inputs", "texts")(request) and not _has_parameters(request) and not hugging_face.is_own_client(request)


def model_type(served: Served) -> dict[str, Any]:
    """What kind of model it is: a classifier, a reranker, or one of vectors with how they are pooled."""
    if {"text-classification", "text-ranking"} & {*served.tasks}:
        names = dict(enumerate(served.labels))
        about = {"id2label": names, "label2id": {name: number for number, name in names.items()}}
        return {"reranker" if len(names) == 1 else "classifier": about}
    return {"embedding": {"pooling": pooling_of(served)}}


def read_predictions(body: Fields) -> tuple[list[Any], bool]:
    """The texts and pairs, and whether they are a batch. A flat list is one text or one pair, never a batch of texts."""
    inputs = body.any("inputs")
    if isinstance(inputs, str):
        return [inputs], False
    if is_texts(inputs) and 1 <= len(inputs) <= 2:
        return [_sequence(inputs)], False
    if isinstance(inputs, list) and inputs and all(is_texts(one) and 1 <= len(one) <= 2 for one in inputs):
        return [_sequence(one) for one in inputs], True
    raise InputError(
        f"inputs is {shown(inputs)}, but it is a text, a pair of texts [text, text], or a batch of lists with one or two texts "
        "each: [[text], [text, text]]. Put each text of a batch into a list of its own."
    )


def read_inputs(body: Fields, served: Served) -> list[Any]:
    """Texts, or token ids in place of a text; one of them, or a list."""
    inputs = body.any("inputs")
    found = [inputs] if is_text(inputs) or is_ids(inputs) else inputs
    if not isinstance(found, list) or not all(is_text(one) or is_ids(one) for one in found):
        body.refuse("inputs", "a text, a list of token ids, or a list of either")
    check_some(found, "inputs")
    return [one if is_text(one) else token_sequence(one, served) for one in found]


def check_some(values: Sequence[Any], name: str) -> None:
    """Refuse a list of nothing."""
    if not values:
        raise EmptyError(f"`{name}` cannot be empty", reason="invalid")


def check_batch(count: int, service: Service) -> None:
    """Refuse more inputs than a request may have, in that server's words."""
    if count > (most := service.limits.max_client_batch_size):
        raise RefusedError(f"batch size {count} > maximum allowed batch size {most}", reason="too_many_inputs")


def check_dimensions(vectors: Sequence[Sequence[Any]], dimensions: int | None) -> None:
    """Refuse to give fewer numbers than were asked for."""
    if dimensions is not None and vectors and len(vectors[0]) < dimensions:
        raise InputError(f"`dimensions` is {dimensions}, but the model's vectors have {len(vectors[0])} numbers. Ask for fewer.")


def refuse(error: RefusedError) -> HttpResponse:
    """``{"error", "error_type"}``; without a key nothing at all."""
    if error.reason == "unauthorized":
        return HttpResponse(status=401, media_type="text/plain")
    status, kind = (400, "Empty") if isinstance(error, EmptyError) else ERRORS.get(error.reason, (error.status, "Validation"))
    said = f"Input validation error: {error}" if error.reason == "invalid" and kind == "Validation" else str(error)
    return json_response({"error": said, "error_type": kind}, status=status)


async def _ask(
    request: HttpRequest, service: Service, body: Fields, items: list[Any], *, task: str, options: Mapping[str, Any]
) -> Answers:
    served = service.find(body.optional_text("model"), task=task)
    return await answered(request, service, items, task=find_task(task), served=served, options=options)


async def _embed(request: HttpRequest, service: Service, body: Fields, *, task: str, options: Mapping[str, Any]) -> Answers:
    served = service.find(body.optional_text("model"), task=task)
    items = read_inputs(body, served)
    check_batch(len(items), service)
    asked = {**options, **overflow(body), **_prompt(body)}
    return await answered(request, service, items, task=find_task(task), served=served, options=asked)


def _timed(value: Any, found: Answers, body: Fields) -> HttpResponse:
    characters = characters_in([body.values.get(name) for name in ("inputs", "query", "texts")])
    return json_response(value, headers=timing_headers([found], characters=characters))


def _has_parameters(request: HttpRequest) -> bool:
    return "parameters" in request.object()


def _sequence(texts: list[str]) -> Any:
    return texts[0] if len(texts) == 1 else {"text": texts[0], "text_pair": texts[1]}


def _prompt(fields: Fields) -> dict[str, str]:
    name = fields.optional_text("prompt_name")
    return {} if name is None else {"prompt_name": name}


AT_ROOT: Mapping[str, Handler] = {
    "text-classification": predict,
    "text-ranking": predict,
    "sentence-embeddings": embed,
    "feature-extraction": embed,
    "sentence-similarity": similarity,
}
"""What answers at the root, by the task of the model; other tasks are Hugging Face's."""

LENGTH = {
    "truncate": perhaps(TRUTH),
    "truncation_direction": {"enum": ["right", "left", "Right", "Left"]},
    "model": perhaps(TEXT),
}
RAW = {"raw_scores": TRUTH}
PROMPT = {"prompt_name": perhaps(TEXT)}
PREDICTION = record(
    "inputs",
    inputs=either(TEXT, array(TEXT, minItems=1, maxItems=2), array(array(TEXT, minItems=1, maxItems=2), minItems=1)),
    **LENGTH,
    **RAW,
)
RANKING = record("query", "texts", query=TEXT, texts=array(TEXT, minItems=1), return_text=TRUTH, **LENGTH, **RAW)
RANKS = array(record("index", "score", index=ID, score=NUMBER, text=TEXT))
VECTORS = record("inputs", inputs=TEXTS_OR_IDS, normalize=TRUTH, dimensions=perhaps(COUNT), **LENGTH, **PROMPT)
TOKEN_VECTORS = record("inputs", inputs=TEXTS_OR_IDS, **LENGTH, **PROMPT)
COMPARED = record(
    "inputs",
    inputs=record("source_sentence", "sentences", source_sentence=TEXT, sentences=array(TEXT, minItems=1)),
    parameters=record(**LENGTH, **PROMPT),
)
TOKEN = record("id", "text", "special", id=ID, text=TEXT, special=TRUTH, start=perhaps(ID), stop=perhaps(ID))
TOKENISED = record("inputs", inputs=either(TEXT, array(TEXT, minItems=1)), add_special_tokens=TRUTH, **PROMPT)
DECODED = record("ids", ids=either(IDS, array(array(ID), minItems=1)), skip_special_tokens=TRUTH)


def _post(path: str, handler: Handler, summary: str, body: Schema, answer: Schema) -> Route:
    return Route(method="POST", path=path, handler=handler, summary=summary, request=body, response=answer)


def _get(path: str, handler: Handler, summary: str, *, public: bool = True) -> Route:
    return Route(method="GET", path=path, handler=handler, summary=summary, public=public)


DIALECT = Dialect(
    name="text-embeddings-inference",
    summary="Labels, ranks and embeddings, as clients of text-embeddings-inference ask for them.",
    routes=(
        _post("/predict", predict, "Labels of texts or pairs of texts", PREDICTION, either(LABELS, array(LABELS))),
        _post("/rerank", rerank, "Texts in the order of how well they answer a query", RANKING, RANKS),
        _post("/similarity", similarity, "How alike a text and others are", COMPARED, VECTOR),
        _post("/embed", embed, "A vector for each text", VECTORS, array(VECTOR)),
        _post("/embed_all", embed_all, "A vector for each token of each text", TOKEN_VECTORS, array(array(VECTOR))),
        _post("/embed_sparse", embed_sparse, "Refused: no model here has sparse vectors", TOKEN_VECTORS, {}),
        _post("/tokenize", tokenize, "The tokens of texts", TOKENISED, array(array(TOKEN))),
        _post("/decode", decode, "Texts from token ids", DECODED, TEXTS),
        Route(method="POST", path="/", handler=root, summary="", accepts=is_ours, hidden=True),
        Route(method="POST", path="/invocations", handler=root, summary="", accepts=is_ours, hidden=True),
        _get("/info", info, "What is served, and its limits", public=False),
        _get("/models/{model...}/info", info, "What a model is, and its limits", public=False),
        _get("/health", health, "Whether requests are answered"),
        _get("/metrics", metrics, "Counters for Prometheus"),
    ),
    refuse=refuse,
)
