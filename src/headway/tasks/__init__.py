"""Tasks, one file each: what goes in, what comes out, what it is trained on. Pipeline, Trainer, command line and server share them."""

from functools import cache

from headway.core import registry
from headway.errors import TaskError
from headway.tasks.columns import Columns, TextColumns
from headway.tasks.limits import token_limit
from headway.tasks.task import Call, Encoded, Example, ModelFacts, Prepared, Task, TaskOptions, Training

__all__ = [
    "Call",
    "Columns",
    "Encoded",
    "Example",
    "ModelFacts",
    "Prepared",
    "Task",
    "TaskOptions",
    "TextColumns",
    "Training",
    "task",
    "task_names",
    "token_limit",
]


@cache
def _by_name() -> dict[str, Task]:
    tasks: list[Task] = list(registry.load_all(__name__, "TASK"))
    return {name: found for found in tasks for name in (found.name, *found.aliases)}


def task(name: str) -> Task:
    """The task of this name or alias."""
    try:
        return _by_name()[name]
    except (KeyError, TypeError):
        raise TaskError(f"There is no task {name!r}. Known tasks: {', '.join(sorted(_by_name()))}.") from None


def task_names(*, aliases: bool = False) -> list[str]:
    """The names of all tasks, sorted; with their aliases if asked for."""
    return sorted(name for name, found in _by_name().items() if aliases or name == found.name)
