"""Tasks, one file each: what goes in, what comes out, what it is trained on; the same for pipeline, Trainer and command line."""

from functools import cache

from headway.architecture import ModelConfig
from headway.architecture.family import HeadName
from headway.core import registry
from headway.core.config import closest
from headway.errors import TaskError
from headway.families import family
from headway.tasks.columns import TableForm
from headway.tasks.limits import token_limit
from headway.tasks.table import Column
from headway.tasks.task import (
    Call,
    Details,
    Encoded,
    Evaluation,
    Example,
    Labels,
    ModelFacts,
    Prepared,
    Scorer,
    Task,
    TaskOptions,
    Training,
)

__all__ = [
    "Call",
    "Column",
    "Details",
    "Encoded",
    "Evaluation",
    "Example",
    "Labels",
    "ModelFacts",
    "Prepared",
    "Scorer",
    "TableForm",
    "Task",
    "TaskOptions",
    "Training",
    "task",
    "task_for_head",
    "task_names",
    "task_of",
    "token_limit",
]


TASK_OF_HEAD: dict[HeadName, str] = {
    "base": "feature-extraction",
    "masked-lm": "fill-mask",
    "multiple-choice": "multiple-choice",
    "next-sentence": "next-sentence-prediction",
    "pretraining": "fill-mask",
    "question-answering": "question-answering",
    "replaced-token": "feature-extraction",
    "sequence-classification": "text-classification",
    "token-classification": "token-classification",
}


@cache
def _by_name() -> dict[str, Task]:
    tasks: list[Task] = list(registry.load_all(__name__, "TASK"))
    return {name: found for found in tasks for name in (found.name, *found.aliases)}


def task(name: str) -> Task:
    """The task of this name or alias."""
    try:
        return _by_name()[name]
    except (KeyError, TypeError):
        raise TaskError(
            f"There is no task {name!r} among those that Headway does. Known tasks: {', '.join(sorted(_by_name()))}."
            f"{closest(str(name), _by_name())}"
        ) from None


def task_of(config: ModelConfig) -> str:
    """The task that a model was saved for."""
    head = family(config.model_type).head_in(config)
    if head is None:
        raise TaskError(
            f"This model's config.json does not say what it was trained for (architectures: {config.get('architectures')}). "
            f"Name the task: {', '.join(task_names())}."
        )
    return task_for_head(head)


def task_for_head(head: HeadName) -> str:
    """The task that a model with this head does unless another is named."""
    return TASK_OF_HEAD[head]


def task_names(*, aliases: bool = False) -> list[str]:
    """The names of all tasks, sorted; with their aliases if asked for."""
    return sorted(name for name, found in _by_name().items() if aliases or name == found.name)
