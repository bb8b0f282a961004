"""From what a dialect read to answers: which model and task is meant, which options, and the engine room's answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headway.core.batching import TokenSequence
from headway.errors import InputError
from headway.inference.inputs import read_inputs
from headway.serving.dialects._body import Fields
from headway.serving.dialects._kinds import readable_options
from headway.serving.exchange import Answers, Served
from headway.serving.http import HttpRequest
from headway.serving.refusals import RefusedError
from headway.serving.service import Service
from headway.tasks import Call, Task
from headway.tasks import task as find_task


@dataclass(frozen=True)
class Presented:
    """Answers, and whether there was one input or a list of them."""

    answers: Answers | None
    kind: Literal["text", "item", "list"]

    @property
    def value(self) -> Any:
        """What ``pipeline()`` returns for these inputs."""
        return [] if self.answers is None else self.answers.presented(self.kind)

    def each(self) -> list[Any]:
        """For each input what ``pipeline()`` returns for it alone."""
        if self.answers is None:
            return []
        call = Call("item", self.answers.given, self.answers.given)
        return [self.answers.prepared.present([answer], call) for answer in self.answers.plain()]


async def as_pipeline(
    request: HttpRequest,
    service: Service,
    *,
    inputs: Any,
    options: Mapping[str, Any],
    task: str | None = None,
    model: str | None = None,
) -> Presented:
    """The answers to inputs and options as ``pipeline()`` takes them; an empty list has none."""
    served = service.find(model, task=task)
    chosen = find_task(task or served.task)
    read, given = chosen.read_call((inputs,), readable_options(chosen, options))
    kind, items = read_inputs(read)
    assert kind != "stream"  # JSON knows none
    items = list(items)
    if not items:
        chosen.choose(given)
        return Presented(None, kind)
    return Presented(await answered(request, service, items, task=chosen, served=served, options=given), kind)


async def answered(
    request: HttpRequest,
    service: Service,
    items: Sequence[Any],
    *,
    task: Task,
    served: Served,
    options: Mapping[str, Any],
) -> Answers:
    """The engine room's answers to items, by this model."""
    return await service.answer(request.ask(items, task=task.name, model=served.name, options=options))


def only_or_named(service: Service, name: str | None, *, task: str) -> Served:
    """The model of this name for a task. Where a single model does the task, it answers to any name, as it does elsewhere.

    Programs written for a hosted service name its models, and cannot always be told another name.
    """
    if name is None:
        return service.find(None, task=task)
    try:
        return service.find(name, task=task)
    except RefusedError as error:
        able = [served for served in service.models() if task in served.tasks]
        if error.reason != "unknown_model" or len(able) != 1:
            raise
        return able[0]


def overflow(fields: Fields) -> dict[str, Any]:
    """The option for texts that are too long, from ``truncate`` and ``truncation_direction``.

    A text loses its end here, never its beginning: with the direction left, one that is too long is refused.
    """
    truncate = fields.optional_truth("truncate")
    direction = fields.choice("truncation_direction", ("right", "Right", "left", "Left"))
    if direction.lower() == "left":
        return {"overflow": "error"}  # where nothing is cut, the direction changes nothing
    return {} if truncate is None else {"overflow": "truncate" if truncate else "error"}


def token_sequence(ids: Sequence[int], served: Served) -> TokenSequence:
    """Token ids that a client made with the model's own tokenizer, special tokens included, as the model reads them."""
    known = served.config.vocab_size
    if max(ids) >= known:
        raise InputError(
            f"An input has the token id {max(ids)}, but the model {served.name} knows ids below {known}. Send texts, or the ids "
            "that its own tokenizer makes (POST /tokenize)."
        )
    if len(ids) > served.max_tokens:
        raise InputError(
            f"An input has {len(ids)} token ids, but the model {served.name} reads at most {served.max_tokens}. Send fewer, or "
            "the text itself, of which the beginning is read."
        )
    return TokenSequence(tuple(ids))
