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
    """What an argument is called here, its value, and why; with no name it has no effect, for that reason.

    A value that is ``harmless`` asks for nothing, so nothing is said of it. With a ``remedy`` any other is refused.
    """

    name: str | None
    why: str
    value: Callable[[Any], Any] = lambda value: value
    harmless: tuple[Any, ...] = ()
    remedy: str | None = None


def _same(name: str, why: str) -> Alias:
    return Alias(name, why)


def _idle(why: str, *harmless: Any) -> Alias:
    """It changes nothing here."""
    return Alias(None, why, harmless=harmless)


def _absent(*harmless: Any, instead: str) -> Alias:
    """What it asks for is not there, unless it asks for nothing."""
    return Alias(None, "", harmless=harmless, remedy=instead)


_NONE_OF_IT: tuple[Any, ...] = (None, False, "", (), [], {})
_ROWS = "rows are tokenised once, before the first step, and batches are made where they are used"
_PROCESSES = "torchrun says how many processes there are, and their gradients are joined as it is fastest"
_SHARDS = "with fsdp each layer is in shards of its own"
_PRECISION = "evaluation has the precision of training, over float32 weights"
_TPU = "TPUs are not used"

OTHER_NAMES: Mapping[str, Alias] = {
    "evaluation_strategy": _same("eval_strategy", "its name since transformers 4.41"),
    "warmup_ratio": _same("warmup_steps", "below 1 it is a share of all steps"),
    "per_gpu_train_batch_size": _same("per_device_train_batch_size", "its name since transformers 2.9"),
    "per_gpu_eval_batch_size": _same("per_device_eval_batch_size", "its name since transformers 2.9"),
    "adafactor": Alias("optim", "optim='adafactor'", lambda value: "adafactor" if value else "adamw_torch_fused"),
    "no_cuda": _same("use_cpu", "its name since transformers 4.34"),
    "activation_checkpointing": _same("gradient_checkpointing", "its name before transformers 5"),
    "push_to_hub_model_id": _same("hub_model_id", "its name since transformers 4.11"),
    "push_to_hub_token": _same("hub_token", "its name since transformers 4.11"),
    "push_to_hub_organization": _absent(
        None, instead="push_to_hub_organization is now a part of the name: hub_model_id='{value}/…'."
    ),
    # data
    "group_by_length": _idle("batches are always made of texts of like length, and no padding is computed"),
    "length_column_name": _idle("lengths are counted here"),
    "remove_unused_columns": _idle("columns that the model does not read are left alone"),
    "dataloader_pin_memory": _idle(_ROWS),
    "dataloader_num_workers": _idle(_ROWS),
    "dataloader_prefetch_factor": _idle(_ROWS),
    "dataloader_persistent_workers": _idle(_ROWS),
    "dataloader_multiprocessing_context": _idle(_ROWS),
    "dataloader_in_order": _idle(_ROWS),
    "label_names": _idle("targets are found under all their known names"),
    "ignore_data_skip": _absent(
        *_NONE_OF_IT,
        instead="ignore_data_skip={value!r} would see rows twice after an interruption. Leave it out: going on is exact.",
    ),
    # what happens when
    "overwrite_output_dir": _idle("checkpoints are kept until save_total_limit, and resume_from_checkpoint decides"),
    "do_train": _idle("train() trains"),
    "do_eval": _idle("evaluate() evaluates"),
    "do_predict": _idle("predict() predicts"),
    "logging_dir": _idle("the log is log.jsonl in output_dir"),
    "logging_nan_inf_filter": _idle("a loss that is not finite is shown as it is"),
    "log_level": _idle("what is said comes as warnings and in the terminal"),
    "log_level_replica": _idle("only the first process says anything"),
    "log_on_each_node": _idle("only the first process says anything"),
    "include_num_input_tokens_seen": _idle("tokens per second are always in the log"),
    "include_tokens_per_second": _idle("tokens per second are always in the log"),
    "project": _idle("the environment variables of each tracker say its project"),
    "trackio_space_id": _idle("report_to does not know trackio"),
    "trackio_bucket_id": _idle("report_to does not know trackio"),
    "trackio_static_space_id": _idle("report_to does not know trackio"),
    "eval_accumulation_steps": _idle("outputs leave the device batch by batch"),
    "eval_use_gather_object": _idle("what is measured need not be tensors"),
    "eval_do_concat_batches": _absent(
        True, instead="eval_do_concat_batches={value!r} is not available: compute_metrics gets the logits of all rows at once."
    ),
    "batch_eval_metrics": _absent(
        *_NONE_OF_IT,
        instead="batch_eval_metrics={value!r} is not available: compute_metrics is called once. The task's own "
        "metrics keep no logits.",
    ),
    "include_inputs_for_metrics": Alias(
        "include_for_metrics", "with 'inputs' in it", lambda value: ("inputs",) if value else (), harmless=(None, False)
    ),
    "use_legacy_prediction_loop": _idle("there is one way to evaluate"),
    "past_index": _absent(
        None, -1, instead="past_index={value!r} is for models that write; encoders keep no past. Leave it out."
    ),
    "use_cache": _idle("encoders keep no past"),
    # saving
    "save_safetensors": Alias(
        None,
        "weights are always saved as safetensors",
        harmless=(True, None),
        remedy="save_safetensors={value!r} would write pickles, which run code when they are loaded. Leave it out.",
    ),
    "save_on_each_node": _idle("the first process saves"),
    "restore_callback_states_from_checkpoint": _idle("callbacks that have a state are always restored"),
    "enable_jit_checkpoint": _idle("checkpoints are whole whenever a training is interrupted"),
    "hub_always_push": _idle("a push that finds the one before under way is left out"),
    # precision and speed
    "fp16_opt_level": _idle("there is no Apex"),
    "fp16_backend": _idle("there is one way to mix precisions, torch.autocast"),
    "half_precision_backend": _idle("there is one way to mix precisions, torch.autocast"),
    "fp16_full_eval": _idle(_PRECISION, *_NONE_OF_IT),
    "bf16_full_eval": _idle(_PRECISION, *_NONE_OF_IT),
    "jit_mode_eval": _idle("evaluation runs on packed batches", *_NONE_OF_IT),
    "torchdynamo": Alias("torch_compile_backend", "its name since transformers 4.28", harmless=(None,)),
    "use_liger_kernel": _idle("packed batches have kernels of their own", *_NONE_OF_IT),
    "liger_kernel_config": _idle("packed batches have kernels of their own", *_NONE_OF_IT),
    "torch_empty_cache_steps": _idle("memory that is free goes back now and then"),
    "auto_find_batch_size": _idle(
        "a step that memory does not hold always runs in smaller parts, with the same result", *_NONE_OF_IT
    ),
    "gradient_checkpointing_kwargs": Alias(
        None,
        "layers are computed again by torch's form without re-entry",
        harmless=(None, {}, {"use_reentrant": False}),
    ),
    "activation_checkpointing_kwargs": Alias(
        None,
        "layers are computed again by torch's form without re-entry",
        harmless=(None, {}, {"use_reentrant": False}),
    ),
    "optim_target_modules": _absent(
        *_NONE_OF_IT,
        instead="optim_target_modules={value!r} is for GaLore and APOLLO, which are not available. Leave it out, or use LoRA.",
    ),
    # processes and devices
    "average_tokens_across_devices": _absent(
        True, None, instead="average_tokens_across_devices={value!r} is not available: each target counts the same. Leave it out."
    ),
    "local_rank": _idle(_PROCESSES, -1, 0, None),
    "ddp_backend": _idle(_PROCESSES, None),
    "ddp_find_unused_parameters": _idle(_PROCESSES, None, False),
    "ddp_bucket_cap_mb": _idle(_PROCESSES, None),
    "ddp_broadcast_buffers": _idle(_PROCESSES, None),
    "ddp_static_graph": _idle(_PROCESSES, None),
    "ddp_timeout": _idle(_PROCESSES),
    "_n_gpu": _idle(_PROCESSES, -1, 0, 1),
    "fsdp_config": _idle(_SHARDS),
    "fsdp_min_num_params": _idle(_SHARDS),
    "fsdp_transformer_layer_cls_to_wrap": _idle(_SHARDS),
    "deepspeed": _absent(*_NONE_OF_IT, instead="deepspeed={value!r} is not available. Use fsdp='full_shard'."),
    "accelerator_config": _absent(
        *_NONE_OF_IT, instead="accelerator_config={value!r} is not available: Accelerate is not used. Leave it out."
    ),
    "parallelism_config": _absent(
        *_NONE_OF_IT, instead="parallelism_config={value!r} is not available: Accelerate is not used. Leave it out."
    ),
    "use_mps_device": _idle("the GPU is used where torch has CUDA"),
    "mp_parameters": _idle("SageMaker's own parallelism is not used", *_NONE_OF_IT),
    "tpu_num_cores": _idle(_TPU, None),
    "tpu_metrics_debug": _idle(_TPU, *_NONE_OF_IT),
    "debug": _idle("there are no debugging modes", *_NONE_OF_IT),
    "skip_memory_metrics": _idle("memory is in the terminal's live line", True),
    "ray_scope": _idle("the search is Optuna's"),
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
            raise ConfigError(f"{cls.__name__} has no argument {name!r}.{nearest(name, known | OTHER_NAMES.keys())}")
        alias = OTHER_NAMES[name]
        if value in alias.harmless:
            continue
        if alias.remedy is not None:
            raise ConfigError(alias.remedy.format(value=value))
        _say(name, alias)
        if alias.name is not None and value is not None:
            if alias.name in named:
                raise ConfigError(f"{name} and {alias.name} are the same argument, and both are given. Leave one out.")
            found[alias.name] = alias.value(value)
    return found


def _say(name: str, alias: Alias) -> None:
    if name not in _SAID:
        _SAID.add(name)
        meaning = f"is {alias.name} here ({alias.why})" if alias.name else f"has no effect here: {alias.why}"
        warnings.warn(f"{name} {meaning}.", stacklevel=4)
