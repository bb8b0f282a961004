"""A model that is in memory already, such as one that was just trained, as an engine."""

import sys
from collections.abc import Callable
from typing import Any, Literal

from headway.errors import EngineError, TaskError
from headway.inference.choice import choose
from headway.inference.engine import Engine
from headway.tasks import Task, task_for_head
from headway.tasks import task as find_task


def engine_in_memory(
    task: str | None,
    model: Any,
    *,
    engine: str,
    precision: str,
    device: object = None,
    only_token: Callable[[Task], int | None] = lambda _: None,
) -> tuple[Task, Engine]:
    """The task and the engine for a torch model of Headway's, which goes to evaluation mode.

    It stays on its device unless another is named. ``only_token`` is as for ``load_engine``, once the task is known.
    """
    if not _is_model(model):
        raise TaskError(
            f"model is of the type {type(model).__name__}. "
            "Give a folder, a shipped model's name, a Hub repository, or a model that Headway made."
        )
    from headway.neural.engine import TorchEngine, usable_device

    found = find_task(task_for_head(model.head_name) if task is None else task)
    if model.head_name != found.head:
        raise TaskError(
            f"{found.name} needs a model with the head {found.head!r}; this one has {model.head_name!r}. "
            "Load it with the class for that head."
        )
    if engine == "onnx":
        raise EngineError("engine='onnx' runs models from files. Save the model and name its folder, or leave the engine out.")
    choice = choose(engine="torch", precision=precision, device=device, has_int8=False)
    if choice.device is not None:
        model = model.to(usable_device(choice.device))
    chosen: Literal["bf16", "fp32"] = "bf16" if choice.precision == "bf16" else "fp32"
    return found, TorchEngine(model, precision=chosen, only_token=only_token(found))


def _is_model(model: Any) -> bool:
    """Whether it is a torch model of Headway's; if that part was never imported, it is not."""
    return "headway.neural" in sys.modules and isinstance(model, sys.modules["headway.neural"].EncoderModel)
