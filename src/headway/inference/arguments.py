"""What people pass to transformers' ``pipeline()``: understood where it means something here, else refused with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headway.checkpoints.options import NOTHING_TO_DO, REFUSED, settings_among
from headway.errors import ConfigError

NO_OTHERS = "Weights of TensorFlow and JAX are not read; convert the checkpoint once with transformers."
NO_IMAGES = "Tasks here read text, with a tokenizer alone; leave it out."
OF_THE_MODEL = "load the model with it (AutoModelFor….from_pretrained(folder, {name}=…)) and give that to pipeline()."

ONLY: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "framework": ((None, "pt"), NO_OTHERS),
    "config": ((None,), "A model's own config.json is read; for other settings " + OF_THE_MODEL.format(name="config")),
    "feature_extractor": ((None,), NO_IMAGES),
    "image_processor": ((None,), NO_IMAGES),
    "video_processor": ((None,), NO_IMAGES),
    "processor": ((None,), NO_IMAGES),
    "modelcard": ((None,), "It changes no answer; leave it out."),
    "pipeline_class": ((None,), "Each task is one file, src/headway/tasks/NAME.py; a new one is a new file."),
    "args_parser": ((None,), "A task reads its own arguments; leave it out."),
    "binary_output": ((False, None), "Answers are plain Python values; write them with pickle yourself."),
}
"""Arguments with the values that ask for what happens anyway, and what to do instead of the others."""

NO_EFFECT = ("num_workers", "attn_implementation", "experts_implementation")
"""The tokenizer works beside the model with no processes of its own, and the fastest kernel at hand is always taken."""

PLACES = ("revision", "token", "local_files_only", "cache_dir")
PRECISION_OF = {
    "auto": "auto", "float32": "fp32", "float": "fp32", "fp32": "fp32", "bfloat16": "bf16", "bf16": "bf16", "int8": "int8",
}  # fmt: skip
ANYWHERE = ("auto", "balanced", "balanced_low_0", "sequential")
"""Device maps that leave the choice to the library."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """How to run a model, where it is, and all that is left: options of the task."""

    precision: str = "auto"
    device: Any = None
    place: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def understood(given: Mapping[str, Any], *, precision: str, device: Any, place: Mapping[str, Any], model: Any) -> Arguments:
    """The arguments, those of transformers among ``given`` under our names; one that cannot be had is a ``ConfigError``."""
    found, rest = Arguments(precision=precision, device=device, place=dict(place)), dict(given)
    rest = {**_model_kwargs(rest.pop("model_kwargs", None)), **rest}
    for name in ("dtype", "torch_dtype"):
        found = replace(found, precision=_one(found.precision, _precision(name, rest.pop(name, None)), name, "precision"))
    found = replace(found, device=_one(found.device, _device(rest.pop("device_map", None)), "device_map", "device"))
    found = replace(found, place=_places(found.place, rest))
    for name in [name for name in rest if name in ONLY]:
        value = rest.pop(name)
        if not (any(value is one or value == one for one in ONLY[name][0]) or (name == "config" and value == model)):
            raise ConfigError(f"{name}={value!r} cannot be had here. {ONLY[name][1]}")
    settings_among({name: value for name, value in rest.items() if name in REFUSED})
    known = {*REFUSED, *NOTHING_TO_DO, *NO_EFFECT}
    return replace(found, options={name: value for name, value in rest.items() if name not in known})


def without_effect(options: Mapping[str, Any]) -> dict[str, Any]:
    """A call's options without those that change nothing."""
    return {name: value for name, value in options.items() if name not in NO_EFFECT}


def _model_kwargs(values: Any) -> dict[str, Any]:
    """What is meant for the model's ``from_pretrained``, where pipeline() takes it as well."""
    if not isinstance(values, Mapping | None):
        raise ConfigError(f"model_kwargs is {values!r}, but it holds arguments by name. Write model_kwargs={{'dtype': 'auto'}}.")
    known = {*PLACES, *ONLY, *REFUSED, *NOTHING_TO_DO, *NO_EFFECT, "dtype", "torch_dtype", "device_map", "use_auth_token"}
    for name in values or {}:
        if name not in known:
            raise ConfigError(f"model_kwargs has {name!r}, a setting of the model: {OF_THE_MODEL.format(name=name)}")
    return dict(values or {})


def _one(ours: Any, theirs: Any, name: str, our_name: str) -> Any:
    """What was asked for under one of two names, or under both alike."""
    if theirs is None or ours == theirs:
        return ours
    if ours not in (None, "auto"):
        raise ConfigError(f"{name} asks for {theirs!r} and {our_name} for {ours!r}. Give one of the two.")
    return theirs


def _precision(name: str, dtype: Any) -> str | None:
    if dtype is None:
        return None
    said = str(dtype).removeprefix("torch.")
    if said not in PRECISION_OF:
        raise ConfigError(
            f"{name}={dtype!r} cannot be had here: models run in fp32, bf16 or int8, and fp16, in which some encoders overflow, "
            "is none of these. Use dtype='bfloat16', 'float32' or 'auto', or precision='int8'."
        )
    return None if said == "auto" else PRECISION_OF[said]


def _device(device_map: Any) -> Any:
    if isinstance(device_map, Mapping) and len(device_map) == 1:
        device_map = next(iter(device_map.values()))
    if isinstance(device_map, Mapping):
        raise ConfigError(f"device_map={dict(device_map)!r} cannot be had here: a model stands on one device; name it: device=….")
    return None if device_map in ANYWHERE else device_map


def _places(place: Mapping[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Where to look for the model. ``rest`` loses what says so."""
    named = {**place, **{name: rest.pop(name) for name in PLACES if rest.get(name) is not None and place[name] in (None, False)}}
    named["token"] = _one(named["token"], rest.pop("use_auth_token", None), "use_auth_token", "token")
    for name in PLACES:
        rest.pop(name, None)
    return named
