"""infinity's own shapes: ``/classify``, ``/rerank`` with documents as plain texts, in the manner of OpenAI's API."""

import time
import uuid
from typing import Any

from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._asking import answered, only_or_named
from headway.serving.dialects._body import holds, read_object
from headway.serving.dialects._schema import COUNT, ID, LABELS, NUMBER, TEXT, TRUTH, USAGE, array, perhaps, record
from headway.serving.dialects._timings import characters_in, timing_headers
from headway.serving.dialects.openai import refuse, usage
from headway.serving.dialects.rerank import headers, ranked
from headway.serving.exchange import Answers
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.service import Service
from headway.tasks import task as find_task

TASK = "text-classification"


async def classify(request: HttpRequest, service: Service) -> HttpResponse:
    """All labels of each text, best first."""
    body = read_object(request)
    texts = body.texts("input")
    served = only_or_named(service, body.optional_text("model"), task=TASK)
    options = {"top_k": None, **({"function_to_apply": "none"} if body.truth("raw_scores", False) else {})}
    if not texts:
        body.refuse("input", "a list of texts that is not empty")
    found = await answered(request, service, texts, task=find_task(TASK), served=served, options=options)
    answer = {"object": "classify", "data": found.plain(), **envelope(found)}
    return json_response(answer, headers=timing_headers([found], characters=characters_in(texts)))


async def rerank(request: HttpRequest, service: Service) -> HttpResponse:
    """Documents in order, each a plain text where they are asked for."""
    body = read_object(request)
    returns, raw = body.truth("return_documents", False), body.truth("raw_scores", False)
    found, best, documents = await ranked(request, service, body, raw=raw)
    results = [
        {
            "relevance_score": one["score"],
            "index": one["corpus_id"],
            "document": documents[one["corpus_id"]] if returns else None,
        }
        for one in best
    ]
    return json_response({"object": "rerank", "results": results, **envelope(found)}, headers=headers(found, body))


def envelope(found: Answers) -> dict[str, Any]:
    """What stands around every answer."""
    return {
        "model": found.served.name,
        "usage": usage(found.tokens),
        "id": f"infinity-{uuid.uuid4()}",
        "created": int(time.time()),
    }


CLASSIFY = record("input", input=array(TEXT, minItems=1), model=perhaps(TEXT), raw_scores=TRUTH)
AROUND = {"model": TEXT, "usage": USAGE, "id": TEXT, "created": ID}
CLASSIFIED = record("object", "data", *AROUND, object={"const": "classify"}, data=array(LABELS), **AROUND)
RERANK = record(
    "query",
    "documents",
    query=TEXT,
    documents=array(TEXT, minItems=1),
    model=perhaps(TEXT),
    return_documents=TRUTH,
    raw_scores=TRUTH,
    top_n=perhaps(COUNT),
)
RESULT = record("relevance_score", "index", relevance_score=NUMBER, index=ID, document=perhaps(TEXT))
RERANKED = record("object", "results", *AROUND, object={"const": "rerank"}, results=array(RESULT), **AROUND)

DIALECT = Dialect(
    name="infinity",
    summary="Labels and ranks, as infinity's clients ask for them.",
    routes=(
        Route(
            method="POST",
            path="/classify",
            handler=classify,
            summary="All labels of each text",
            request=CLASSIFY,
            response=CLASSIFIED,
        ),
        Route(
            method="POST",
            path="/rerank",
            handler=rerank,
            summary="Documents in the order of how well they answer a query",
            request=RERANK,
            response=RERANKED,
            accepts=holds("documents"),
        ),
    ),
    refuse=refuse,
)
