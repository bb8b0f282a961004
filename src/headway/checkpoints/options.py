"""The keywords of ``from_pretrained`` told apart: options, settings of the model, and what is refused with the reason.

transformers swallows a keyword that it does not know; a misspelt one then changes nothing and says nothing.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from headway.architecture import Family, ModelConfig
from headway.architecture.config import COMMON
from headway.architecture.family import METADATA
from headway.core.config import Config, closest
from headway.errors import ConfigError
from headway.families import family as find_family
from headway.families import is_known

Options = TypeVar("Options", bound=Config)

ONE_DEVICE = "a model stands on one device here: name that with device_map."
NO_OTHERS = "convert the checkpoint once with transformers: AutoModel….from_pretrained(…, {name}=True).save_pretrained(folder)."
NO_EIGHT_BITS = "torch models are floating-point here; INT8 is for inference: headway export, or pipeline(…, precision='int8')."

REFUSED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "trust_remote_code": (
        (False, None),
        "it would run code from the repository with your rights, which Headway never does; its own families read the weights.",
    ),
    "weights_only": ((True, None), "Headway reads weights and nothing else from any file."),
    "use_safetensors": (
        (True, None),
        "safetensors files are read wherever there are any, and pickled ones without running them.",
    ),
    "from_tf": ((False, None), NO_OTHERS),
    "from_flax": ((False, None), NO_OTHERS),
    "gguf_file": ((None,), "GGUF files are not read here; use the safetensors of the original model."),
    "quantization_config": ((None,), NO_EIGHT_BITS),
    "load_in_8bit": ((False, None), NO_EIGHT_BITS),
    "load_in_4bit": ((False, None), NO_EIGHT_BITS),
    "state_dict": ((None,), "make the model with from_config, then model.load_state_dict(…); or give a folder with the weights."),
    "key_mapping": ((None,), "weights are read under the Hub's names of the family alone; rename them in the file."),
    "subfolder": (("", None), "give the folder itself; of a Hub repository, download it first: hf download."),
    "variant": ((None,), "only model.safetensors and its like are read; for other numbers give dtype."),
    "force_download": ((False, None), "what is in the cache is checked already; to begin anew, delete it there: hf cache."),
    "proxies": ((None,), "set the environment variable HTTPS_PROXY."),
    "mirror": ((None,), "set the environment variable HF_ENDPOINT."),
    "use_auth_token": ((None,), "that is the old name of token; write token={value!r}."),
    "max_memory": ((None,), ONE_DEVICE),
    "offload_folder": ((None,), ONE_DEVICE),
    "offload_state_dict": ((False, None), ONE_DEVICE),
    "offload_buffers": ((False, None), ONE_DEVICE),
    "tp_plan": ((None,), ONE_DEVICE),
    "tp_size": ((None,), ONE_DEVICE),
    "device_mesh": ((None,), ONE_DEVICE),
    "use_flash_attention_2": ((False, None), "the fastest kernel at hand is taken without being asked for; leave it out."),
    "use_kernels": ((False, None), "the fastest kernel at hand is taken without being asked for; leave it out."),
    "adapter_kwargs": ((None, {}), "adapters are loaded by peft: PeftModel.from_pretrained(model, …)."),
    "generation_config": ((None,), "encoders generate nothing."),
    "return_unused_kwargs": ((False, None), "a keyword that is no setting is an error."),
    "code_revision": ((None,), "no code is taken from repositories."),
}
"""Keywords of transformers that cannot be had, with the values that ask for nothing, and why."""

NOTHING_TO_DO = ("low_cpu_mem_usage", "resume_download", "use_fast", "_fast_init")
"""Keywords of transformers that ask for what Headway does always: reading weights once, going on with a download."""


def sort_keywords(given: Mapping[str, Any], options: type[Options]) -> tuple[Options, dict[str, Any]]:
    """The options among some keywords, and all others, which have to be settings of the model."""
    names = {field.name for field in dataclasses.fields(options)}
    rest = settings_among({name: value for name, value in given.items() if name not in names})
    return options(**{name: value for name, value in given.items() if name in names}), rest


def settings_among(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords without those of transformers that ask for nothing here; one that cannot be had is refused."""
    for name, value in given.items():
        if name in REFUSED and value not in REFUSED[name][0]:
            reason = REFUSED[name][1].format(name=name, value=value)
            raise ConfigError(f"{name}={value!r} cannot be had here: {reason}")
    return {name: value for name, value in given.items() if name not in REFUSED and name not in NOTHING_TO_DO}


def check_settings(settings: Mapping[str, Any], config: ModelConfig, *, options: type[Config] | None = None) -> None:
    """Refuse a setting that neither the model's family nor its file knows: it would change nothing."""
    family = find_family(config.model_type)
    known = known_settings(family) | config.to_dict().keys()
    for name in settings:
        if name in known:
            continue
        names = {field.name for field in dataclasses.fields(options)} if options else set()
        near = closest(name, known | names) or f" Its settings are {', '.join(sorted({*family.defaults, *family.aliases}))}."
        raise ConfigError(
            f"{name!r} is no setting of {config.model_type} models{' and no option' if options else ''}, so it would change "
            f"nothing.{near} What only your own code reads goes into another configuration: config.replace({name}=…)."
        )


def known_settings(family: Family) -> set[str]:
    """Everything that a configuration of this family may say."""
    return {*COMMON, *METADATA, *family.defaults, *family.aliases, *family.required, *family.irrelevant}


def check_family(config: ModelConfig, family: Family, *, wanted: str, place: object, suffix: str) -> None:
    """Refuse a checkpoint of another family than the class names, and say which class is for it."""
    if config.model_type == family.model_type:
        return
    here = find_family(config.model_type).class_prefix + suffix if is_known(config.model_type) else None
    other, auto = f" {here} or" if here else "", f"AutoModel{suffix}" if suffix.startswith("For") else f"Auto{suffix}"
    raise ConfigError(
        f"{place} holds a {config.model_type} model, but {wanted} is for {family.model_type} models: its weights would be read "
        f"under wrong names. Use{other} {auto}, which looks at config.json."
    )
