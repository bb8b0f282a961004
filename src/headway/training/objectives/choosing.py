"""What a model learns: what its head always does, unless the task says otherwise."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from headway.errors import ConfigError
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.tasks import Example, Task
from headway.tasks.sentence_learning import OBJECTIVE as VECTORS
from headway.training.objectives.heads import Objective, objective_of
from headway.training.objectives.relevance import relevance_objective
from headway.training.objectives.sentence_vectors import vector_objective

RELEVANCE = "relevance"
OF_VECTORS = ("loss", "similarity_scale", "similarity_range", "tokens_at_once")
"""Settings that sentence embeddings alone have."""


def fitted(objective: Objective, examples: Sequence[Example], tell: Callable[[Sequence[str]], None]) -> Objective:
    """The objective for these examples; ``tell`` is told what they say of it."""
    if objective.fit is None:
        return objective
    found, said = objective.fit(examples)
    tell(said)
    return found


def vector_facts(arguments: TrainingArguments) -> dict[str, Any]:
    """What was set of how sentence embeddings are learnt, ready for JSON: a run is resumed only under the same."""
    usual = {field.name: field.default for field in fields(arguments)}
    given = {name: getattr(arguments, name) for name in OF_VECTORS if getattr(arguments, name) != usual[name]}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def objective_for(task: Task, model: EncoderModel, arguments: TrainingArguments) -> Objective:
    """How a model learns a task. Settings of sentence embeddings with another task are a ``ConfigError``."""
    training = task.trainable() if task.training or task.learning else None
    if training is not None and training.objective == VECTORS:
        return vector_objective(model, arguments)
    if given := next(iter(vector_facts(arguments)), None):
        raise ConfigError(
            f"{given} says how sentence embeddings are learnt, but the task is {task.name}. Leave it out, or train with "
            "task='sentence-embeddings'."
        )
    if training is not None and training.objective == RELEVANCE:
        return relevance_objective(model)
    return objective_of(model.head_name)
