"""What a sentence-transformers folder says beside the model: pooling, what follows it, prompts, lengths and similarity.

Both forms are read: ``pooling_mode_mean_tokens: true`` of older folders, and ``pooling_mode: "mean"`` since version 5.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.errors import CheckpointError, TaskError
from headway.tasks.pooling import POOLINGS
from headway.tasks.sentence_modules import Step, UnitLength, read_dense, read_norm

OLD_NAMES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
BEFORE = ("Transformer", "Pooling")
"""The modules that come first, in their order."""
AFTER = ("Dense", "LayerNorm", "Normalize", "Dropout")
"""Those that may follow, in any order and number; nothing is dropped but in training."""
USUAL_PROMPTS = {"query": "", "document": ""}
"""What sentence-transformers knows in every model."""


@dataclass(frozen=True, kw_only=True)
class SideFiles:
    """How a folder's sentence vectors are made, and compared."""

    pooling: tuple[str, ...] = ("mean",)
    include_prompt: bool = True
    """Whether a prompt's tokens are pooled with the text's."""
    steps: tuple[Step, ...] = ()
    """What the pooled vector goes through."""
    truncate_dim: int | None = None
    prompts: Mapping[str, str] = field(default_factory=lambda: USUAL_PROMPTS)
    default_prompt: str = ""
    lowercase: bool = False
    max_length: int | None = None
    similarity: str | None = None


def read_side_files(folder: Path | None) -> SideFiles:
    """The folder's settings; without side files the average of the tokens, which is what sentence-transformers does then too."""
    if folder is None or not (folder / "modules.json").is_file():
        return SideFiles()
    modules = _modules(folder)
    _check_modules([name for name, _ in modules], folder)
    pooling = next((read_json(path / "config.json") for name, path in modules if name == "Pooling"), {"pooling_mode": "mean"})
    said = read_json(folder / "config_sentence_transformers.json", default={})
    lengths = read_json(folder / "sentence_bert_config.json", default={})
    return SideFiles(
        pooling=_pooling(pooling, folder),
        include_prompt=bool(pooling.get("include_prompt", True)),
        steps=tuple(step for name, path in modules if (step := _step(name, path)) is not None),
        truncate_dim=said.get("truncate_dim"),
        prompts={**USUAL_PROMPTS, **(said.get("prompts") or {})},
        default_prompt=_default_prompt(said, folder),
        lowercase=bool(lengths.get("do_lower_case")),
        max_length=lengths.get("max_seq_length"),
        similarity=said.get("similarity_fn_name"),
    )


def _modules(folder: Path) -> list[tuple[str, Path]]:
    """The modules' names, and their folders."""
    found = read_json(folder / "modules.json")
    try:
        return [(str(module["type"]).rpartition(".")[2], folder / str(module["path"])) for module in found]
    except (TypeError, KeyError) as error:
        raise CheckpointError(
            f"{folder / 'modules.json'} is no list of modules with a type and a path each ({error!r}), so how to make sentence "
            "vectors is unknown. Download the model again."
        ) from error


def read_json(path: Path, *, default: Any = None) -> Any:
    """What a JSON file of the folder holds; the default, if there is one, where there is no such file."""
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} could not be read ({error}), so how to make sentence vectors is unknown. Download the model again."
        ) from error


def _check_modules(names: Sequence[str], folder: Path) -> None:
    """Refuse a module that is not computed here, or that stands where it is not."""
    unknown = [name for name in names if name not in (*BEFORE, *AFTER)]
    if unknown or tuple(names[:2]) != BEFORE[: len(names)] or any(name in BEFORE for name in names[2:]):
        what = f"module {unknown[0]}" if unknown else f"modules {', '.join(names)} in this order"
        raise TaskError(
            f"{folder} has the sentence-transformers {what}, which is not computed here, so its vectors would "
            "be others. Use feature-extraction with pooling='mean' or 'cls' if you want them without it."
        )


def _step(name: str, path: Path) -> Step | None:
    match name:
        case "Dense":
            return read_dense(path, read_json(path / "config.json"))
        case "LayerNorm":
            return read_norm(path, read_json(path / "config.json"))
        case "Normalize":
            return UnitLength()
        case _:
            return None


def _pooling(values: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    named = values.get("pooling_mode") or [name for old, name in OLD_NAMES.items() if values.get(old)]
    names = (named,) if isinstance(named, str) else tuple(named)
    if not names or not set(names) <= set(POOLINGS):
        raise TaskError(f"{folder} asks for the pooling {', '.join(names) or '(none)'}; known are {', '.join(POOLINGS)}.")
    return names


def _default_prompt(values: Mapping[str, Any], folder: Path) -> str:
    name = values.get("default_prompt_name")
    if name is None:
        return ""
    prompts = values.get("prompts") or {}
    if name not in prompts:
        raise CheckpointError(
            f"{folder} names {name!r} as its default prompt but has only {', '.join(prompts) or 'none'}. Correct "
            "default_prompt_name."
        )
    return str(prompts[name])
