"""What a model's ``config.json`` notes of the task that it was trained for, so that it is used as it was trained."""

from collections.abc import Mapping
from typing import Any

from headway.architecture import ModelConfig
from headway.errors import ConfigError

NOTE = "headway_task"
"""The note's name in ``config.json``."""


def with_task(config: ModelConfig, task: str, options: Mapping[str, Any]) -> ModelConfig:
    """The configuration of a model that is trained for a task with these options, saying so."""
    return config.replace(**{NOTE: {"name": task, "options": dict(options)}})


def noted_task(config: ModelConfig) -> str | None:
    """The task that the model was trained for, where that is noted."""
    name = _note(config).get("name")
    return name if isinstance(name, str) else None


def noted_options(config: ModelConfig, task: str) -> dict[str, Any]:
    """The task's options that the model was trained with; none where it was trained for another, or where nothing is noted."""
    return dict(_note(config).get("options") or {}) if noted_task(config) == task else {}


def _note(config: ModelConfig) -> Mapping[str, Any]:
    note = config.get(NOTE) or {}
    if not isinstance(note, Mapping):
        raise ConfigError(f"{NOTE} is {note!r} in config.json, where an object notes the model's task. Remove it.")
    return note
