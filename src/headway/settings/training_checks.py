"""What training settings cannot be: each is refused before any work is done, by its name and with what to do instead."""

import math
import numbers
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

from headway.core.config import closest
from headway.errors import ConfigError

if TYPE_CHECKING:
    from headway.settings.training import TrainingArguments

COUNTS = ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps")
INTERVALS = ("logging_steps", "save_steps", "eval_steps")
NOT_NEGATIVE = ("neftune_noise_alpha", "weight_decay", "warmup_steps", "max_grad_norm", "eval_delay", "seed", "data_seed")
SHARES = ("adam_beta1", "adam_beta2")
ADAMS = ("adamw_torch_fused", "adamw_torch", "nadam", "radam", "lion_32bit", "stable_adamw")
"""Optimisers whose steps are about as long as the learning rate, whatever the gradient."""
OLD_ADAMW: Any = "adamw_hf"
"""What transformers called its own AdamW, which older scripts name; it steps as torch's does."""
EIGHT_BITS = " Where memory is short: adafactor keeps almost nothing beside the weights."
INPUTS = "inputs"
REPORTS = ("none", "all", "tensorboard", "wandb", "mlflow")


def check_training(arguments: "TrainingArguments") -> None:
    """Refuse values that cannot mean anything, one after the other."""
    _take_forms(arguments)
    for name, hint in hints_of(arguments).items():
        _check_kind(name, getattr(arguments, name), hint)
    _check_counts(arguments)
    _check_time(arguments)
    _check_rates(arguments)
    _check_choices(arguments)
    _check_evaluation(arguments)
    _check_best(arguments)
    _check_precision(arguments)
    _check_compute_metrics(arguments)


def _take_forms(arguments: Any) -> None:
    """One word for a tuple of one, whole numbers that are written as fractions, and None where transformers has it for 0."""
    named: Any = arguments.report_to
    object.__setattr__(arguments, "report_to", (named,) if isinstance(named, str) else tuple(named or ()))
    for name in ("freeze", "include_for_metrics"):
        value = getattr(arguments, name)
        object.__setattr__(arguments, name, (value,) if isinstance(value, str) else tuple(value or ()))
    object.__setattr__(arguments, "output_dir", str(arguments.output_dir))
    object.__setattr__(arguments, "fsdp", _sharding(arguments.fsdp))
    object.__setattr__(arguments, "optim", "adamw_torch" if arguments.optim == OLD_ADAMW else arguments.optim)
    if arguments.max_grad_norm is None:
        object.__setattr__(arguments, "max_grad_norm", 0.0)
    if isinstance(arguments.label_all_tokens, bool):
        object.__setattr__(arguments, "label_all_tokens", "inside" if arguments.label_all_tokens else "no")
    if arguments.torch_compile_backend is not None or arguments.torch_compile_mode is not None:
        object.__setattr__(arguments, "torch_compile", True)
    for name in (*COUNTS, *INTERVALS, "max_steps", "max_length", "save_total_limit", "seed", "data_seed"):
        value = getattr(arguments, name)
        if isinstance(value, float) and value.is_integer():
            object.__setattr__(arguments, name, int(value))


def _sharding(given: Any) -> str:
    """What transformers writes as words, a list or a switch; that each layer is wrapped goes without saying."""
    words = given.split() if isinstance(given, str) else [str(one) for one in given] if isinstance(given, list | tuple) else []
    if given is True:
        return "full_shard"
    kept = [word for word in words if word != "auto_wrap"]
    if kept not in ([], ["full_shard"], ["shard_grad_op"]):
        raise ConfigError(f"fsdp is {given!r}, of which only 'full_shard' or 'shard_grad_op' is available. Use one of these.")
    return kept[0] if kept else ""


def hints_of(arguments: Any) -> Mapping[str, Any]:
    """What each field may be."""
    hints = typing.get_type_hints(type(arguments))
    return {field.name: hints[field.name] for field in fields(arguments)}


def _check_kind(name: str, value: Any, hint: Any) -> None:
    """Refuse a value of another kind than the field is, such as the text "2e-5" for a number."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if any(_is_of(value, kind) for kind in kinds):
        return
    wanted = " or ".join(filter(None, map(_said, kinds)))
    hint_of_text = f" Write {name}={value} without quotes." if isinstance(value, str) and _reads_as_number(value) else ""
    raise ConfigError(f"{name} is {value!r}, but it is {wanted}.{hint_of_text or f' Give {name} such a value.'}")


def _is_of(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is Literal:
        return isinstance(value, str)  # which of them is checked with its remedy
    if kind is types.NoneType:
        return value is None
    if typing.get_origin(kind) is tuple:
        return isinstance(value, tuple | list)
    known: Mapping[Any, Callable[[Any], bool]] = {
        bool: lambda value: isinstance(value, bool),
        int: lambda value: isinstance(value, numbers.Integral) and not isinstance(value, bool),
        float: lambda value: isinstance(value, numbers.Real) and not isinstance(value, bool),
        str: lambda value: isinstance(value, str),
    }
    return known[kind](value) if kind in known else True


def _said(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return f"one of {', '.join(typing.get_args(kind))}"
    if typing.get_origin(kind) is tuple:
        return "a list"
    names = {bool: "True or False", int: "a whole number", float: "a number", str: "a text", types.NoneType: "None"}
    return names.get(kind, "")


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_counts(arguments: "TrainingArguments") -> None:
    for name in COUNTS:
        if getattr(arguments, name) < 1:
            raise ConfigError(f"{name} is {getattr(arguments, name)}; it counts something and must be at least 1. Raise {name}.")
    for name in INTERVALS:
        value = getattr(arguments, name)
        if value is not None and (value <= 0 or (value > 1 and not float(value).is_integer())):
            raise ConfigError(
                f"{name} is {value}; it is a number of steps, or below 1 a share of all steps. Use one of these, or {name[:-6]}"
                "_strategy='no' for never."
            )
    for name in ("save_total_limit", "max_length"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}, which would leave nothing. Use at least 1, or None for no limit.")
    if arguments.max_steps < 1 and not 0 < arguments.num_train_epochs < math.inf:
        raise ConfigError(
            f"num_train_epochs is {arguments.num_train_epochs}, so nothing would be trained. Use a positive number, or max_steps."
        )


def _check_time(arguments: "TrainingArguments") -> None:
    if arguments.max_minutes is None:
        return
    if not arguments.max_minutes > 0:
        raise ConfigError(
            f"max_minutes is {arguments.max_minutes}, in which nothing can be learnt. Use more than 0, or None for no limit."
        )
    if arguments.save_strategy == "no" or arguments.save_only_model:
        why = "save_only_model is on" if arguments.save_only_model else "save_strategy is 'no'"
        raise ConfigError(
            f"max_minutes is {arguments.max_minutes:g}, but {why}, so that a training that ends then could not go on. Leave one "
            "of them out."
        )


def _check_rates(arguments: "TrainingArguments") -> None:
    for field in fields(arguments):
        value = getattr(arguments, field.name)
        if isinstance(value, float) and not math.isfinite(value) and field.name != "num_train_epochs":
            raise ConfigError(f"{field.name} is {value}, with which nothing can be computed. Use a finite number.")
    for name in NOT_NEGATIVE:
        value = getattr(arguments, name)
        if value is not None and value < 0:
            raise ConfigError(f"{name} is {value}; it cannot be negative. Use 0 to switch it off, or a positive number.")
    rate = arguments.learning_rate
    if rate <= 0:
        said = "it cannot be negative" if rate else "so no weight would change"
        raise ConfigError(f"learning_rate is {rate}; {said}. Use a positive number, such as 5e-5.")
    if rate > 1 and arguments.optim in ADAMS:
        raise ConfigError(
            f"learning_rate is {rate}, by about which {arguments.optim} would change each weight at each step. Use 1 at most; "
            "1e-5 to 1e-4 is usual."
        )
    for name in SHARES:
        if not 0 <= getattr(arguments, name) < 1:
            raise ConfigError(f"{name} is {getattr(arguments, name)}; it is a share, from 0 to below 1. Use 0.9 to 0.999.")
    if arguments.adam_epsilon <= 0:
        raise ConfigError(f"adam_epsilon is {arguments.adam_epsilon}; it keeps a division finite, so it is positive. Use 1e-8.")
    _check_shares(arguments)


def _check_shares(arguments: "TrainingArguments") -> None:
    if not 0 < arguments.layerwise_lr_decay <= 1:
        raise ConfigError(
            f"layerwise_lr_decay is {arguments.layerwise_lr_decay}, but it is a share of the rate above: more than 0, at most 1. "
            "Use 1 for the same rate everywhere."
        )
    if not 0 <= arguments.label_smoothing_factor < 1:
        raise ConfigError(
            f"label_smoothing_factor is {arguments.label_smoothing_factor}, but it is a share of each target: from 0 to below 1. "
            "Use 0 for none."
        )
    if 0 < arguments.max_steps < arguments.warmup_steps:
        raise ConfigError(
            f"warmup_steps is {arguments.warmup_steps:g}, but the whole training has {arguments.max_steps} steps (max_steps), so "
            "the learning rate would never be reached. Use fewer, or a share of all steps such as 0.1."
        )


def _check_choices(arguments: "TrainingArguments") -> None:
    for name, hint in hints_of(arguments).items():
        members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        known = [one for member in members if typing.get_origin(member) is Literal for one in typing.get_args(member)]
        value = getattr(arguments, name)
        if known and value is not None and value not in known:
            more = EIGHT_BITS if name == "optim" and value.endswith("8bit") else closest(value, known)
            raise ConfigError(f"{name} is {value!r}, which is not known here. Use {', '.join(known)}.{more}")
    if unknown := [name for name in arguments.report_to if name not in REPORTS]:
        raise ConfigError(
            f"report_to has {unknown[0]!r}, which is not known here. Use {', '.join(REPORTS)}, or for others a callback with "
            "on_log."
        )
    if isinstance(arguments.class_weights, str) and arguments.class_weights != "balanced":
        raise ConfigError(
            f"class_weights is {arguments.class_weights!r}; it is 'balanced', or one number for each class in the order of the "
            "labels. Give one of these, or None."
        )


def is_multiple(steps: float, *, of: float) -> bool:
    """Whether one interval is a whole number of others: both in steps, or both as shares of all steps."""
    return (steps < 1) == (of < 1) and math.isclose(steps / of, round(steps / of), rel_tol=1e-6) and steps >= of


def _check_evaluation(arguments: "TrainingArguments") -> None:
    if arguments.eval_strategy != "no":
        return
    if arguments.lr_scheduler_type == "reduce_lr_on_plateau":
        raise ConfigError(
            "lr_scheduler_type is 'reduce_lr_on_plateau', but eval_strategy is 'no', so the learning rate would never fall. Use "
            "eval_strategy='epoch' or 'steps'."
        )
    if arguments.save_strategy == "best":
        raise ConfigError(
            "save_strategy is 'best', but eval_strategy is 'no', so nothing says which weights are the best. Use "
            "eval_strategy='epoch' or 'steps'."
        )


def _check_best(arguments: "TrainingArguments") -> None:
    if not arguments.load_best_model_at_end or arguments.save_strategy == "best":
        return
    every = (arguments.eval_steps or arguments.logging_steps, arguments.save_steps)
    same = arguments.eval_strategy == arguments.save_strategy
    fits = same and (arguments.eval_strategy != "steps" or is_multiple(every[1], of=every[0]))
    if arguments.eval_strategy == "no" or not fits:
        raise ConfigError(
            f"load_best_model_at_end needs a checkpoint of each evaluation, but eval_strategy is {arguments.eval_strategy!r} and "
            f"save_strategy {arguments.save_strategy!r} (every {every[0]} and {every[1]} steps). Use the same for both, or "
            "save_strategy='best'."
        )


def _check_precision(arguments: "TrainingArguments") -> None:
    if arguments.fp16 and arguments.bf16:
        raise ConfigError(
            "fp16 and bf16 are both on, and products run in one of them. Leave fp16 out: bf16 needs no scaled losses."
        )
    for name, remedy in (("fp16", "Use bf16=True, which needs no scaled losses."), ("torch_compile", "Leave one of them out.")):
        if arguments.fsdp and getattr(arguments, name):
            raise ConfigError(f"{name} and fsdp={arguments.fsdp!r} are both asked for, which do not go together here. {remedy}")


def _check_compute_metrics(arguments: "TrainingArguments") -> None:
    if unknown := [name for name in arguments.include_for_metrics if name != INPUTS]:
        raise ConfigError(
            f"include_for_metrics has {unknown[0]!r}, of which only {INPUTS!r} is available: the loss is in every evaluation, as "
            "eval_loss. Leave it out."
        )


def check_without_code(arguments: Any) -> None:
    """Refuse what only a function of the user's could use, where settings are all there is."""
    if arguments.include_for_metrics:
        raise ConfigError(
            f"include_for_metrics is {arguments.include_for_metrics!r}, but that is for compute_metrics, a function that Trainer "
            "is given in Python. Leave it out."
        )
