"""vLLM's pooling routes, which SGLang shares: ``/v1/classify`` with the probability of every label, and ``/score``."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

from headway.errors import InputError
from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._asking import answered, only_or_named
from headway.serving.dialects._body import Fields, read_object
from headway.serving.dialects._schema import ID, INTEGER, NUMBER, TEXT, TEXT_OR_TEXTS, TRUTH, USAGE, array, perhaps, record
from headway.serving.dialects._timings import characters_in, timing_headers
from headway.serving.dialects.openai import refuse, usage
from headway.serving.exchange import Answers, Served
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.refusals import RefusedError
from headway.serving.service import Service
from headway.tasks import task as find_task

ONLY_HERE = ("use_activation", "truncate_prompt_tokens", "add_special_tokens", "priority")
"""What infinity's body of ``/classify`` has not."""


async def classify(request: HttpRequest, service: Service) -> HttpResponse:
    """The best label of each text, and the probabilities of all in the model's order."""
    body = read_object(request)
    texts = body.text_or_texts("input")
    if not texts:
        body.refuse("input", "a text, or a list of texts that is not empty")
    served = only_or_named(service, body.optional_text("model"), task="text-classification")
    options = {"top_k": None, **_raw(body), **_most_tokens(body)}
    found = await answered(request, service, texts, task=find_task("text-classification"), served=served, options=options)
    data = [{"index": index, **classified(labels, served)} for index, labels in enumerate(found.plain())]
    return _listed("classify", data, found, characters=characters_in(texts))


async def score(request: HttpRequest, service: Service) -> HttpResponse:
    """How well each pair of texts goes together: one text with many, or as many with as many."""
    body = read_object(request)
    pairs = read_pairs(body)
    served = only_or_named(service, body.optional_text("model"), task="text-ranking")
    items = [{"query": first, "documents": [second]} for first, second in pairs]
    options = {"function_to_apply": "none" if _raw(body) else "sigmoid", **_most_tokens(body)}
    found = await answered(request, service, items, task=find_task("text-ranking"), served=served, options=options)
    data = [{"index": index, "object": "score", "score": ranking[0]["score"]} for index, ranking in enumerate(found.plain())]
    return _listed("score", data, found, characters=characters_in(pairs))


def read_pairs(body: Fields) -> list[tuple[str, str]]:
    """The pairs, from ``text_1`` and ``text_2``, or from ``queries`` and ``documents``."""
    names = ("queries", "documents") if body.has("queries") else ("text_1", "text_2")
    firsts, seconds = (body.text_or_texts(name) for name in names)
    if len(firsts) == 1:
        firsts = firsts * len(seconds)
    if not firsts or len(firsts) != len(seconds):
        raise InputError(
            f"{names[0]} has {len(firsts)} texts and {names[1]} {len(seconds)}, but each goes with one of the others. "
            "Send equally many, or one text with a list."
        )
    return list(zip(firsts, seconds, strict=True))


def classified(labels: Sequence[dict[str, Any]], served: Served) -> dict[str, Any]:
    """Labels in the model's order instead of best first."""
    scores = {one["label"]: one["score"] for one in labels}
    return {"label": labels[0]["label"], "probs": [scores[name] for name in served.labels], "num_classes": len(served.labels)}


def is_ours(request: HttpRequest) -> bool:
    """Whether a request to ``/classify`` cannot be infinity's: one text and no list, or what only vLLM knows."""
    try:
        body = request.json()
    except RefusedError:
        return False
    return isinstance(body, dict) and (isinstance(body.get("input"), str) or any(name in body for name in ONLY_HERE))


def _listed(name: str, data: list[dict[str, Any]], found: Answers, *, characters: int) -> HttpResponse:
    answer = {
        "id": f"{name}-{uuid.uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": found.served.name,
        "data": data,
        "usage": {**usage(found.tokens), "completion_tokens": 0},
    }
    return json_response(answer, headers=timing_headers([found], characters=characters))


def _raw(body: Fields) -> dict[str, str]:
    return {} if body.truth("use_activation", True) else {"function_to_apply": "none"}


def _most_tokens(body: Fields) -> dict[str, int]:
    """``truncate_prompt_tokens``: so many tokens, or -1 for as many as the model reads."""
    value = body.values.get("truncate_prompt_tokens")
    if value is None or (type(value) is int and value == -1):
        return {}
    most = body.optional_count("truncate_prompt_tokens")
    return {} if most is None else {"max_length": most}


EXTRA = {"model": perhaps(TEXT), "use_activation": perhaps(TRUTH), "truncate_prompt_tokens": perhaps(INTEGER)}
CLASSIFY = record("input", input=TEXT_OR_TEXTS, **EXTRA)
CLASS = record("index", "label", "probs", "num_classes", index=ID, label=TEXT, probs=array(NUMBER), num_classes=ID)
SCORE = record("text_1", "text_2", text_1=TEXT_OR_TEXTS, text_2=TEXT_OR_TEXTS, **EXTRA)
SCORED = record("index", "object", "score", index=ID, object={"const": "score"}, score=NUMBER)


def _listing(item: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "object", "created", "model", "data", "usage")
    return record(*names, id=TEXT, object={"const": "list"}, created=ID, model=TEXT, data=array(item), usage=USAGE)


def _classify(path: str, *, hidden: bool = False) -> Route:
    summary = "The best label of each text, and the scores of all"
    return Route(
        method="POST",
        path=path,
        handler=classify,
        summary=summary,
        request=CLASSIFY,
        response=_listing(CLASS),
        accepts=is_ours if hidden else None,
        hidden=hidden,
    )


def _score(path: str, *, hidden: bool = False) -> Route:
    summary = "How well pairs of texts go together"
    return Route(
        method="POST", path=path, handler=score, summary=summary, request=SCORE, response=_listing(SCORED), hidden=hidden
    )


DIALECT = Dialect(
    name="vLLM",
    summary="Labels and scores of pairs, as vLLM's clients ask for them.",
    routes=(_classify("/v1/classify"), _classify("/classify", hidden=True), _score("/v1/score"), _score("/score", hidden=True)),
    refuse=refuse,
)
