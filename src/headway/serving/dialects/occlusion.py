"""Which words drove an answer: how much its score falls when each is left out, without gradients.

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
from headway.serving.dialects._schema import ID, NUMBER, TEXT, array, either, perhaps, record
from headway.serving.dialects._timings import characters_in, timing_headers
from headway.serving.dialects._weighing import WEIGHED, Span, Weighing
from headway.serving.dialects.hugging_face import refuse
from headway.serving.exchange import Answers, Served
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.service import Service
from headway.tasks import Task
from headway.tasks import task as find_task

MOST = 128
"""Parts of a text that are left out one by one; of a longer text several neighbouring words are one part."""
WORD = re.compile(r"\S+")


async def words(request: HttpRequest, service: Service) -> HttpResponse:
    """The score of what is asked about, and how much each word of the text adds to it."""
    body = read_object(request)
    task, weighing = _task(request.parameters["task"])
    text, rest = _text(body, weighing)
    served = service.find(body.optional_text("model"), task=task.name)
    given = readable_options(task, body.object("options").values)
    options = {**weighing.usual, **given, **weighing.options}
    spans = parts(text)
    if not spans:
        raise InputError(f"{weighing.role} has no words, so none of them drove an answer. Send a text.")

    async def ask(texts: Sequence[str]) -> list[Answers]:
        items = [{**rest, weighing.role: one} if rest else one for one in texts]
        return await _answers(request, service, items, task=task, served=served, options=options)

    first = await ask([text])
    target = weighing.target(first[0].plain()[0], body.optional_text("label"))
    spans = [span for span in spans if not target.is_part(span)]
    texts = [without(text, span) for span in spans]
    found = await ask(texts) if texts else []
    answers = [answer for one in found for answer in one.plain()]
    left = [
        weighing.score(answer, target, target.without(span, shorter=len(text) - len(shorter)))
        for answer, span, shorter in zip(answers, spans, texts, strict=True)
    ]
    weights = [
        {"start": start, "end": end, "weight": target.score - score} for (start, end), score in zip(spans, left, strict=True)
    ]
    where = {} if target.span is None else {"start": target.span[0], "end": target.span[1]}
    headers = timing_headers([*first, *found], characters=characters_in([text, *texts]))
    return json_response({"label": target.label, "score": target.score, **where, "words": weights}, headers=headers)


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


async def _answers(
    request: HttpRequest, service: Service, items: Sequence[Any], *, task: Task, served: Served, options: Mapping[str, Any]
) -> list[Answers]:
    """The answers, in asks of as many texts as a request may have."""
    most = service.limits.max_client_batch_size
    pieces = [items[place : place + most] for place in range(0, len(items), most)]
    return [await answered(request, service, some, task=task, served=served, options=options) for some in pieces]


def _task(name: str) -> tuple[Task, Weighing]:
    task = find_task(name)
    if task.name not in WEIGHED:
        raise InputError(f"Words are weighed for {', '.join(WEIGHED)}, but not for {task.name}. Ask one of these.")
    return task, WEIGHED[task.name]


def _text(body: Fields, weighing: Weighing) -> tuple[str, Mapping[str, str]]:
    """The text that loses words, and what else the input has."""
    if weighing.role == "text":
        return body.text("inputs"), {}
    inputs = body.object("inputs")
    return inputs.text(weighing.role), {"question": inputs.text("question")}


REQUEST = record(
    "inputs",
    inputs=either(TEXT, record("question", "context", question=TEXT, context=TEXT)),
    options={"type": "object"},
    model=perhaps(TEXT),
    label=perhaps(TEXT),
)
WEIGHT = record("start", "end", "weight", start=ID, end=ID, weight=NUMBER)
RESPONSE = record("label", "score", "words", label=TEXT, score=NUMBER, start=ID, end=ID, words=array(WEIGHT))

DIALECT = Dialect(
    name="Which words",
    summary="How much each word of a text adds to the score of a label, of an entity, or of the answer to a question.",
    routes=(
        Route(
            method="POST",
            path="/tasks/{task}/words",
            handler=words,
            summary="How much each word adds to an answer's score",
            request=REQUEST,
            response=RESPONSE,
        ),
    ),
    refuse=refuse,
)
