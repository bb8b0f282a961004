"""Names of training arguments in transformers' other versions, understood as what they are called here; each is said once."""

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from headway.core.config import nearest
from headway.errors import ConfigError

Kind = TypeVar("Kind", bound=type)
_SAID: set[str] = set()


@dataclass(frozen=True)
class Alias:
    """What an argument is called here, its value, and why; with no name it has no effect, for that reason."""

    name: str | None
    why: str
    value: Callable[[Any], Any] = lambda value: value


def _only(*harmless: Any, remedy: str) -> Callable[[Any], Any]:
    """A value that asks for nothing, or an error that says what to do instead."""

    def check(value: Any) -> None:
        if value not in harmless:
            raise ConfigError(remedy.format(value=value))

    return check


OTHER_NAMES: Mapping[str, Alias] = {
    "evaluation_strategy": Alias("eval_strategy", "its name since transformers 4.41"),
    "warmup_ratio": Alias("warmup_steps", "below 1 it is a share of all steps"),
    "per_gpu_train_batch_size": Alias("per_device_train_batch_size", "its name since transformers 2.9"),
    "per_gpu_eval_batch_size": Alias("per_device_eval_batch_size", "its name since transformers 2.9"),
    "adafactor": Alias("optim", "optim='adafactor'", lambda value: "adafactor" if value else "adamw_torch_fused"),
    "group_by_length": Alias(None, "batches are always made of texts of like length, and no padding is computed"),
    "train_sampling_strategy": Alias(
        None,
        "batches are always made of texts of like length, in random order",
        _only("random", "group_by_length", remedy="train_sampling_strategy={value!r} is not available: the order is random."),
    ),
    "length_column_name": Alias(None, "lengths are counted here"),
    "remove_unused_columns": Alias(None, "columns that the model does not read are left alone"),
    "dataloader_pin_memory": Alias(None, "batches are made where they are used"),
    "dataloader_num_workers": Alias(None, "rows are tokenised once, before the first step"),
    "save_safetensors": Alias(
        None,
        "weights are always saved as safetensors",
        _only(
            True,
            None,
            remedy="save_safetensors={value!r} would write pickles, which run code when they are loaded. Leave it out.",
        ),
    ),
    "overwrite_output_dir": Alias(None, "checkpoints are kept until save_total_limit, and resume_from_checkpoint decides"),
    "do_train": Alias(None, "train() trains"),
    "do_eval": Alias(None, "evaluate() evaluates"),
    "do_predict": Alias(None, "predict() predicts"),
    "logging_dir": Alias(None, "the log is log.jsonl in output_dir"),
    "fp16": Alias(
        None,
        "half precision is bf16 here, which needs no scaling of the loss",
        _only(False, None, remedy="fp16={value!r} is not available. Use bf16=True, which has the range of fp32."),
    ),
}
"""By the other name: what it is here."""


def accepts_other_names(cls: Kind) -> Kind:
    """The dataclass, which now understands the other names too; a name that nothing knows is a ``ConfigError``."""
    original = cls.__init__  # type: ignore[misc]

    @functools.wraps(original)
    def make(self: Any, *positional: Any, **named: Any) -> None:
        original(self, *positional, **in_our_names(cls, named))

    cls.__init__ = make  # type: ignore[misc]
    return cls


def in_our_names(cls: type, named: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments under the names that the dataclass has."""
    known = {field.name for field in fields(cls)}
    found = {name: value for name, value in named.items() if name in known}
    for name, value in named.items():
        if name in known:
            continue
        if name not in OTHER_NAMES:
            raise ConfigError(f"{cls.__name__} has no argument {name!r}.{nearest(name, known)}")
        alias = OTHER_NAMES[name]
        translated = alias.value(value)
        _say(name, alias)
        if alias.name is not None and value is not None:
            if alias.name in named:
                raise ConfigError(f"{name} and {alias.name} are the same argument, and both are given. Leave one out.")
            found[alias.name] = translated
    return found


def _say(name: str, alias: Alias) -> None:
    if name not in _SAID:
        _SAID.add(name)
        meaning = f"is {alias.name} here ({alias.why})" if alias.name else f"has no effect here: {alias.why}"
        warnings.warn(f"{name} {meaning}.", stacklevel=4)
