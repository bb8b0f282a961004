"""Cohere's and Jina's reranking, as vector databases and frameworks call it: ``/v1/rerank`` and ``/v2/rerank``."""

import uuid
from collections.abc import Mapping
from typing import Any

from headway.errors import InputError
from headway.serving.dialect import Dialect, Handler, Route
from headway.serving.dialects._asking import answered, only_or_named
from headway.serving.dialects._body import Fields, read_object, shown
from headway.serving.dialects._schema import (
    COUNT,
    ID,
    NUMBER,
    TEXT,
    TRUTH,
    USAGE,
    array,
    either,
    perhaps,
    record,
)
from headway.serving.dialects._timings import characters_in, timing_headers
from headway.serving.dialects.openai import usage
from headway.serving.exchange import Answers
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.refusals import RefusedError
from headway.serving.service import Service
from headway.tasks import task as find_task

TASK = "text-ranking"


async def version_1(request: HttpRequest, service: Service) -> HttpResponse:
    """With each document, unless ``return_documents`` is false, as Jina has it; Cohere's clients read it too."""
    return await _rerank(request, service, version="1", returns=read_object(request).truth("return_documents", True))


async def version_2(request: HttpRequest, service: Service) -> HttpResponse:
    """Without documents, unless they are asked for."""
    return await _rerank(request, service, version="2", returns=read_object(request).truth("return_documents", False))


async def ranked(
    request: HttpRequest, service: Service, body: Fields, *, raw: bool = False
) -> tuple[Answers, list[dict[str, Any]], list[str]]:
    """The answers, the best documents by place and score, and the documents themselves."""
    query, documents = body.text("query"), read_documents(body)
    served = only_or_named(service, body.optional_text("model"), task=TASK)
    options = {"top_k": body.optional_count("top_n"), "function_to_apply": "none" if raw else "sigmoid", **_most_tokens(body)}
    item = {"query": query, "documents": documents}
    found = await answered(request, service, [item], task=find_task(TASK), served=served, options=options)
    return found, found.plain()[0], documents


def read_documents(body: Fields) -> list[str]:
    """Documents as texts: plain ones, and objects of the values that ``rank_fields`` names, or of ``text`` alone."""
    documents = body.items("documents")
    names = body.texts("rank_fields") if body.has("rank_fields") else ["text"]
    if not documents:
        raise InputError("`documents` is empty, so there is nothing to put in an order. Send at least one.")
    return [_document(one, names) for one in documents]


def headers(found: Answers, body: Fields) -> Mapping[str, str]:
    """What the answer took."""
    return timing_headers([found], characters=characters_in([body.values["query"], body.values["documents"]]))


def refuse(error: RefusedError) -> HttpResponse:
    """``{"message"}`` for Cohere's clients and ``{"detail"}`` for Jina's."""
    status = 400 if error.reason == "invalid" else error.status
    return json_response({"message": str(error), "detail": str(error)}, status=status)


async def _rerank(request: HttpRequest, service: Service, *, version: str, returns: bool) -> HttpResponse:
    body = read_object(request)
    found, best, documents = await ranked(request, service, body)
    results = [
        {
            "index": one["corpus_id"],
            "relevance_score": one["score"],
            **({"document": {"text": documents[one["corpus_id"]]}} if returns else {}),
        }
        for one in best
    ]
    answer = {
        "id": str(uuid.uuid4()),
        "object": "list",
        "model": found.served.name,
        "results": results,
        "usage": usage(found.tokens),
        "meta": {"api_version": {"version": version}, "billed_units": {"search_units": 1}},
    }
    return json_response(answer, headers=headers(found, body))


def _document(one: Any, names: list[str]) -> str:
    if isinstance(one, str):
        return one
    values = [one[name] for name in names if name in one] if isinstance(one, dict) else []
    if not values or not all(isinstance(value, str) for value in values):
        raise InputError(
            f"A document is {shown(one)}, but documents are texts, or objects with a text under {' or '.join(names)}. Correct "
            "it, or name the values to read in rank_fields."
        )
    return "\n".join(values)


def _most_tokens(body: Fields) -> dict[str, int]:
    """The bound that Cohere's clients set for a document; here it is one for the query and the document together."""
    most = body.optional_count("max_tokens_per_doc")
    return {} if most is None else {"max_length": max(most, 3)}


REQUEST = record(
    "query",
    "documents",
    query=TEXT,
    documents=array(either(TEXT, record("text", text=TEXT)), minItems=1),
    model=perhaps(TEXT),
    top_n=perhaps(COUNT),
    return_documents=perhaps(TRUTH),
    rank_fields=perhaps(array(TEXT)),
    max_tokens_per_doc=perhaps(COUNT),
)
RESULT = record("index", "relevance_score", index=ID, relevance_score=NUMBER, document=record("text", text=TEXT))
RESPONSE = record("id", "model", "results", "usage", id=TEXT, model=TEXT, results=array(RESULT), usage=USAGE)


def _route(path: str, handler: Handler) -> Route:
    summary = "Documents in the order of how well they answer a query"
    return Route(method="POST", path=path, handler=handler, summary=summary, request=REQUEST, response=RESPONSE)


DIALECT = Dialect(
    name="Cohere and Jina",
    summary="Reranking, as Cohere's and Jina's clients ask for it.",
    routes=(_route("/v1/rerank", version_1), _route("/v2/rerank", version_2)),
    refuse=refuse,
)
