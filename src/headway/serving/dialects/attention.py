"""What a model's attention looks at: the weights of a layer, of one head or the mean of all, by words or by tokens.

They say where a model looks, not why it answers: weights can often be others without another answer (Jain and Wallace, 2019,
arXiv:1902.10186). ``/words`` measures what an answer depends on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from headway.errors import InputError
from headway.serving.attention import Attended, Word, by_words, words_of
from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._body import Fields, is_text, read_object
from headway.serving.dialects._kinds import readable_options
from headway.serving.dialects._schema import ID, INTEGER, NUMBER, TEXT, array, either, perhaps, record
from headway.serving.dialects.hugging_face import refuse
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.service import Service
from headway.tasks import Task
from headway.tasks import task as find_task

ROLES: Mapping[str, tuple[str, ...]] = {
    "text-classification": ("text", "text_pair"),
    "zero-shot-classification": ("text",),
    "token-classification": ("text",),
    "question-answering": ("question", "context"),
    "fill-mask": ("text",),
    "feature-extraction": ("text",),
    "sentence-embeddings": ("text",),
    "next-sentence-prediction": ("text", "next_sentence"),
}
"""The texts of an input, in the order in which the model reads them, by task."""
PLACES = 5
"""Decimal places of the weights."""


async def attention(request: HttpRequest, service: Service) -> HttpResponse:
    """How much each word takes of each other one."""
    body = read_object(request)
    task = _task(request.parameters["task"])
    item, texts = _item(body, task)
    served = service.find(body.optional_text("model"), task=task.name)
    options = readable_options(task, body.object("options").values)
    if task.name == "zero-shot-classification":
        options, texts = _with_hypothesis(task, options, texts[0], body.text("label"))
    ask = request.ask([item], task=task.name, model=served.name, options=options)
    found = await service.attention(ask, layer=_number(body, "layer"))
    whole = body.choice("by", ("word", "token")) == "word"
    words = await service.compute(lambda: words_of(served.tokenizer, found.tokens, texts, whole=whole))
    return json_response(said(found, words, head=_number(body, "head"), model=served.name))


def said(found: Attended, words: Sequence[Word], *, head: int | None, model: str) -> dict[str, Any]:
    """The weights of a head, or the mean of all, in words."""
    heads = len(found.weights)
    if head is not None and head >= heads:
        raise InputError(
            f"head is {head}, but the layer's heads are 0 to {heads - 1}. Name one of these, or none for their mean."
        )
    weights = by_words(found.weights.mean(0) if head is None else found.weights[head], words)
    return {
        "model": model,
        "layer": found.layer,
        "layers": found.layers,
        "head": head,
        "heads": heads,
        "words": [_said(word) for word in words],
        "weights": np.round(weights.astype(np.float64), PLACES),
    }


def _said(word: Word) -> dict[str, Any]:
    if word.place is None:
        return {"text": word.text}
    number, start, end = word.place
    return {"text": word.text, "of": number, "start": start, "end": end}


def _task(name: str) -> Task:
    task = find_task(name)
    if task.name not in ROLES:
        raise InputError(f"Attention is shown for {', '.join(ROLES)}, but not for {task.name}. Ask one of these.")
    return task


def _item(body: Fields, task: Task) -> tuple[Any, list[str]]:
    """The input as the task reads it, and its texts; a second one may be missing where the task needs none."""
    roles, given = ROLES[task.name], body.any("inputs")
    if is_text(given) and task.name != "question-answering":
        texts = [given]
    else:
        inputs = body.object("inputs")
        texts = [inputs.text(role) for role in roles if inputs.has(role) or role != "text_pair"]
    return texts[0] if len(texts) == 1 else dict(zip(roles, texts, strict=True)), texts


def _with_hypothesis(task: Task, options: Mapping[str, Any], text: str, label: str) -> tuple[dict[str, Any], list[str]]:
    """Zero-shot's options for one label, and what is read with it."""
    chosen: Any = task.choose({**options, "candidate_labels": [label]})
    return {**options, "candidate_labels": [label]}, [text, chosen.hypothesis_template.format(label)]


def _number(body: Fields, name: str) -> int | None:
    """A whole number from 0 on, or None."""
    if not body.has(name):
        return None
    value = body.values[name]
    if type(value) is not int or value < 0:
        body.refuse(name, "a whole number from 0 on")
    return int(value)


REQUEST = record(
    "inputs",
    inputs=either(TEXT, {"type": "object", "description": "The texts by the names that the task reads."}),
    options={"type": "object"},
    model=perhaps(TEXT),
    label=perhaps({**TEXT, "description": "For zero-shot classification: the label with which the text is read."}),
    layer=perhaps({**ID, "description": "From 0 on; the last unless given."}),
    head=perhaps({**ID, "description": "From 0 on; the mean of all unless given."}),
    by={"enum": ["word", "token"], "default": "word"},
)
WORD = record("text", text=TEXT, of=ID, start=ID, end=ID)
RESPONSE = record(
    "model",
    "layer",
    "layers",
    "head",
    "heads",
    "words",
    "weights",
    model=TEXT,
    layer=INTEGER,
    layers=INTEGER,
    head=perhaps(INTEGER),
    heads=INTEGER,
    words=array(WORD),
    weights={**array(array(NUMBER)), "description": "A row for each word that looks, a column for each that is looked at."},
)

DIALECT = Dialect(
    name="Attention",
    summary="Where a layer's attention looks while the model reads an input: by words or tokens, of one head or the mean of all.",
    routes=(
        Route(
            method="POST",
            path="/tasks/{task}/attention",
            handler=attention,
            summary="How much each word looks at each other one",
            request=REQUEST,
            response=RESPONSE,
        ),
    ),
    refuse=refuse,
)
