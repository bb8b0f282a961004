"""``from_pretrained`` and ``from_config``: keywords and a checkpoint to a model."""

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from headway.architecture import ModelConfig, weight_shapes
from headway.architecture.family import HeadName
from headway.checkpoints import Checkpoint, describe_new_weights, load_checkpoint, load_config, locate
from headway.checkpoints.options import check_settings, sort_keywords
from headway.core.config import nearest
from headway.core.updates import undisturbed
from headway.errors import ConfigError
from headway.families import family
from headway.neural.classes import FamilyModel, check_class, check_config, model_class
from headway.settings.loading import BuildingOptions, LoadingOptions, Place

ATTENTIONS = {"eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention", "paged_attention"}
FLOATS = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}

_said: set[str] = set()


def load_model(
    name_or_path: str | Path,
    *,
    head: HeadName | None,
    config: ModelConfig | str | Path | None,
    keywords: Mapping[str, Any],
    wanted: type[FamilyModel] | None = None,
) -> Any:
    """The model in evaluation mode; with ``output_loading_info`` also what was missing or left over.

    Without a ``head`` it is the one that the family is pre-trained with. ``wanted`` is the class asked for, where it was not an
    automatic one.
    """
    options, settings = sort_keywords(keywords, LoadingOptions)
    place = {field.name: getattr(options, field.name) for field in dataclasses.fields(Place)}
    say_attention(options.attn_implementation)
    folder = locate(name_or_path, **place)
    with undisturbed(folder):
        found_config = load_config(config or folder, **place) if not isinstance(config, ModelConfig) else config
        if wanted is not None:
            check_class(found_config, wanted, place=name_or_path)
        check_settings(settings, found_config, options=LoadingOptions)
        found = load_checkpoint(
            folder,
            head=head or pretraining_head(found_config),
            config=found_config,
            changes=settings,
            ignore_mismatched_sizes=options.ignore_mismatched_sizes,
        )
    if (news := describe_new_weights(found)) is not None:
        warnings.warn(news, stacklevel=3)
    model = _built(found, options)
    model.name_or_path = str(name_or_path)
    return (model, loading_info(found)) if options.output_loading_info else model


def new_model(
    config: ModelConfig, *, head: HeadName | None, keywords: Mapping[str, Any], wanted: type[FamilyModel] | None = None
) -> FamilyModel:
    """A model with new weights, in training mode like every new module."""
    options, rest = sort_keywords(keywords, BuildingOptions)
    if rest:
        raise ConfigError(
            f"from_config takes the configuration as it is, so {', '.join(rest)} would change nothing. "
            f"Write config.replace({', '.join(f'{name}=…' for name in rest)}) for the configuration."
        )
    if wanted is not None:
        check_config(config, wanted)
    say_attention(options.attn_implementation)
    cls = wanted or model_class(config.model_type, head or pretraining_head(config))
    numbers = as_dtype(_asked(options), config=config, stored="float32")
    return cls(
        _with_dtype(config, options, numbers),
        add_pooling_layer=options.add_pooling_layer,
        dtype=numbers,
        device=as_device(options.device_map),
    )


def pretraining_head(config: ModelConfig) -> HeadName:
    """The head that ``AutoModelForPreTraining`` means for this family."""
    found = family(config.model_type)
    if found.pretraining is None:
        raise ConfigError(
            f"AutoModelForPreTraining has no class for {config.model_type} models, here as in transformers. "
            "Name the head: AutoModelForMaskedLM."
        )
    return found.pretraining


def as_dtype(wanted: Any, *, config: ModelConfig, stored: str) -> torch.dtype:
    """The numbers asked for; "auto" is what the configuration says, or else what is ``stored``."""
    if wanted is None:
        return torch.float32
    if wanted == "auto":
        wanted = config.get("dtype") or config.get("torch_dtype") or stored
    name = str(wanted).removeprefix("torch.")
    if name not in FLOATS:
        raise ConfigError(
            f"dtype is {wanted!r}, but weights are {', '.join(FLOATS)} here, by name or as torch's; "
            "'auto' is what the checkpoint has. Choose one of them."
        )
    return FLOATS[name]


def as_device(wanted: Any) -> torch.device | None:
    """The one device asked for; None is torch's default."""
    if isinstance(wanted, Mapping) and [*wanted] == [""]:
        wanted = wanted[""]
    if wanted is None or isinstance(wanted, torch.device):
        return wanted
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(wanted)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(
            f"device_map is {wanted!r}, but the whole model stands on one device here. "
            'Give "auto", "cpu", "cuda" or one such as "cuda:1".'
        ) from error


def say_attention(wanted: str | None) -> None:
    """Say once for each value of ``attn_implementation`` that it changes nothing, and what is done instead."""
    if wanted is None or wanted in _said:
        return
    if wanted not in ATTENTIONS:
        raise ConfigError(
            f"attn_implementation is {wanted!r}, which nobody knows.{nearest(str(wanted), ATTENTIONS)} "
            "Leave it out: none of them changes anything here."
        )
    _said.add(wanted)
    warnings.warn(
        f"attn_implementation={wanted!r} changes nothing: Headway runs its packed attention with the fastest kernel for the "
        "device, and gives attention weights whenever output_attentions asks for them.",
        stacklevel=4,
    )


def loading_info(found: Checkpoint) -> dict[str, Any]:
    """What ``output_loading_info`` gives: the Hub's names of weights that were missing, left over, or of another size."""
    shapes = weight_shapes(found.architecture)
    return {
        "missing_keys": found.hub_names(name for name in found.missing if name not in found.mismatched),
        "unexpected_keys": list(found.unexpected),
        "mismatched_keys": [(found.hub_names([name])[0], found.stored_shapes[name], shapes[name]) for name in found.mismatched],
        "error_msgs": [],
    }


def _built(found: Checkpoint, options: LoadingOptions) -> FamilyModel:
    numbers = as_dtype(_asked(options), config=found.config, stored=found.dtype)
    model = model_class(found.config.model_type, found.head)(
        _with_dtype(found.config, options, numbers),
        found.architecture,
        add_pooling_layer=options.add_pooling_layer,
        weights=_used(found, options),
        dtype=numbers,
        device=as_device(options.device_map),
    )
    return model.eval()


def _used(found: Checkpoint, options: LoadingOptions) -> Mapping[str, Any]:
    """The checkpoint's weights without those of a pooler that is not wanted."""
    if options.add_pooling_layer:
        return found.weights
    return {name: array for name, array in found.weights.items() if not name.startswith("pooler.")}


def _asked(options: BuildingOptions) -> Any:
    return options.torch_dtype if options.dtype is None else options.dtype


def _with_dtype(config: ModelConfig, options: BuildingOptions, numbers: torch.dtype) -> ModelConfig:
    """The configuration that says what numbers the weights are, where it says so at all or somebody asked."""
    names = [name for name in ("dtype", "torch_dtype") if name in config] or (["dtype"] if _asked(options) is not None else [])
    return config.replace(**dict.fromkeys(names, str(numbers).removeprefix("torch.")))
