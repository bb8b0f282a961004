"""Which words drove an answer: how much a label's score falls when each is left out, without gradients.

Li, Monroe and Jurafsky, 2016, arXiv:1612.08220, section 2. The shortened texts are asked for as anyone's are.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from headway.errors import InputError
from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._asking import answered
from headway.serving.dialects._body import Fields, read_object
from headway.serving.dialects._kinds import readable_options
from headway.serving.dialects._schema import ID, NUMBER, TEXT, array, perhaps, record
from headway.serving.dialects._timings import characters_in, timing_headers
from headway.serving.dialects.hugging_face import refuse
from headway.serving.exchange import Answers, Served
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.service import Service
from headway.tasks import Task
from headway.tasks import task as find_task

TASKS = ("text-classification", "zero-shot-classification")
MOST = 128
"""Parts of a text that are left out one by one; of a longer text several neighbouring words are one part."""
WORD = re.compile(r"\S+")

Span = tuple[int, int]


async def words(request: HttpRequest, service: Service) -> HttpResponse:
    """The score of a label, and how much each word of the text adds to it."""
    body = read_object(request)
    task, text = _task(request.parameters["task"]), body.text("inputs")
    served = service.find(body.optional_text("model"), task=task.name)
    options = {**readable_options(task, body.object("options").values), "top_k": None}
    spans = parts(text)
    if not spans:
        raise InputError("inputs has no words, so none of them drove an answer. Send a text.")
    texts = [text, *(without(text, span) for span in spans)]
    found = await _answers(request, service, texts, task=task, served=served, options=options)
    scores = [scores_of(answer) for one in found for answer in one.plain()]
    label = chosen(body, scores[0])
    weights = [
        {"start": start, "end": end, "weight": scores[0][label] - left[label]}
        for (start, end), left in zip(spans, scores[1:], strict=True)
    ]
    headers = timing_headers(found, characters=characters_in(texts))
    return json_response({"label": label, "score": scores[0][label], "words": weights}, headers=headers)


def parts(text: str, *, most: int = MOST) -> list[Span]:
    """Where the words of a text stand; of many words as many together as leave so many parts."""
    found = [word.span() for word in WORD.finditer(text)]
    size = -(-len(found) // most) or 1
    groups = [found[place : place + size] for place in range(0, len(found), size)]
    return [(group[0][0], group[-1][1]) for group in groups]


def without(text: str, span: Span) -> str:
    """The text without a part of it, and without the space behind it."""
    start, end = span
    rest = text[end:]
    return text[:start] + rest[len(rest) - len(rest.lstrip()) :]


def scores_of(answer: Any) -> Mapping[str, float]:
    """The score of each label, in whichever form the task gives them, best first."""
    if isinstance(answer, Mapping):
        return dict(zip(answer["labels"], answer["scores"], strict=True))
    return {one["label"]: one["score"] for one in answer}


def chosen(body: Fields, scores: Mapping[str, float]) -> str:
    """The label that was asked for, or the best one."""
    label = body.optional_text("label")
    if label is None:
        return next(iter(scores))
    if label not in scores:
        raise InputError(f"label is {label!r:.60}, which is none of the answer's: {', '.join(scores)}. Name one of these.")
    return label


async def _answers(
    request: HttpRequest, service: Service, texts: Sequence[str], *, task: Task, served: Served, options: Mapping[str, Any]
) -> list[Answers]:
    """The answers, in asks of as many texts as a request may have."""
    most = service.limits.max_client_batch_size
    pieces = [texts[place : place + most] for place in range(0, len(texts), most)]
    return [await answered(request, service, some, task=task, served=served, options=options) for some in pieces]


def _task(name: str) -> Task:
    task = find_task(name)
    if task.name not in TASKS:
        raise InputError(f"Words are weighed for {' and '.join(TASKS)}, not for {task.name}. Ask one of these.")
    return task


REQUEST = record("inputs", inputs=TEXT, options={"type": "object"}, model=perhaps(TEXT), label=perhaps(TEXT))
WEIGHT = record("start", "end", "weight", start=ID, end=ID, weight=NUMBER)
RESPONSE = record("label", "score", "words", label=TEXT, score=NUMBER, words=array(WEIGHT))

DIALECT = Dialect(
    name="Which words",
    summary="How much each word of a text adds to the score of a label.",
    routes=(
        Route(
            method="POST",
            path="/tasks/{task}/words",
            handler=words,
            summary="How much each word adds to a label's score",
            request=REQUEST,
            response=RESPONSE,
        ),
    ),
    refuse=refuse,
)
