"""Headway's own: any task, with exactly what ``pipeline()`` takes and gives."""

from typing import Any

from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._asking import as_pipeline
from headway.serving.dialects._body import read_object
from headway.serving.dialects._kinds import options_schema
from headway.serving.dialects._schema import TEXT, TEXTS, array, perhaps, record
from headway.serving.dialects._timings import characters_in, timing_headers
from headway.serving.dialects.hugging_face import refuse
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.service import Service
from headway.tasks import Task, task_names
from headway.tasks import task as find_task


async def answer(request: HttpRequest, service: Service) -> HttpResponse:
    """The answer of ``pipeline(task, model)(inputs, **options)``."""
    body = read_object(request)
    task, inputs = find_task(request.parameters["task"]).name, body.any("inputs")
    options = body.object("options").values
    found = await as_pipeline(request, service, inputs=inputs, options=options, task=task, model=body.optional_text("model"))
    timed = timing_headers([found.answers] if found.answers else [], characters=characters_in(inputs))
    return json_response(found.value, headers=timed)


async def tasks(request: HttpRequest, service: Service) -> HttpResponse:
    """Every task that some model does, its options, and the models."""
    models = service.models()
    able = {name: [served.name for served in models if name in served.tasks] for name in task_names()}
    return json_response(await service.compute(lambda: [about(find_task(name), names) for name, names in able.items() if names]))


def about(task: Task, models: list[str]) -> dict[str, Any]:
    """What a task reads, and its options."""
    return {
        "task": task.name,
        "summary": task.summary,
        "reads": [role for role in task.table.roles if role not in task.table.optional],
        "models": models,
        "options": options_schema(task),
    }


REQUEST = record(
    "inputs",
    inputs={"description": "A text, another form of input that the task reads, or a list of these."},
    options={"type": "object", "description": "Options of the task, as pipeline() takes them."},
    model=perhaps(TEXT),
)
ABOUT = record("task", "summary", "reads", "models", task=TEXT, summary=TEXT, reads=TEXTS, models=TEXTS)

DIALECT = Dialect(
    name="Headway",
    summary="Any task, with exactly what pipeline() takes and gives.",
    routes=(
        Route(
            method="POST",
            path="/tasks/{task}",
            handler=answer,
            summary="What pipeline() answers",
            request=REQUEST,
            response={},
        ),
        Route(method="GET", path="/tasks", handler=tasks, summary="All tasks that are done here", response=array(ABOUT)),
    ),
    refuse=refuse,
)
