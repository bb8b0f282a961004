"""What a sentence-transformers folder says beside the model: pooling, normalisation, prompt and length.

Both forms are read: ``pooling_mode_mean_tokens: true`` of older folders, and ``pooling_mode: "mean"`` since version 5.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.errors import CheckpointError, TaskError
from headway.tasks.pooling import POOLINGS

OLD_NAMES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True, kw_only=True)
class SideFiles:
    """How a folder's sentence vectors are made."""

    pooling: tuple[str, ...] = ("mean",)
    normalize: bool = False
    prompt: str = ""
    lowercase: bool = False
    max_length: int | None = None


def read_side_files(folder: Path | None) -> SideFiles:
    """The folder's settings; without side files the average of the tokens, which is what sentence-transformers does then too."""
    if folder is None or not (folder / "modules.json").is_file():
        return SideFiles()
    modules = {str(module["type"]).rpartition(".")[2]: str(module["path"]) for module in _read(folder / "modules.json")}
    if unknown := [name for name in modules if name not in {"Transformer", "Pooling", "Normalize"}]:
        raise TaskError(
            f"{folder} has the sentence-transformers module {unknown[0]}, which is not computed here, so its vectors would "
            "be others. Use feature-extraction with pooling='mean' or 'cls' if you want them without it."
        )
    lengths = _read(folder / "sentence_bert_config.json", default={})
    return SideFiles(
        pooling=_pooling(folder / modules["Pooling"] / "config.json") if "Pooling" in modules else ("mean",),
        normalize="Normalize" in modules,
        prompt=_prompt(_read(folder / "config_sentence_transformers.json", default={}), folder),
        lowercase=bool(lengths.get("do_lower_case")),
        max_length=lengths.get("max_seq_length"),
    )


def _pooling(path: Path) -> tuple[str, ...]:
    values = _read(path)
    named = values.get("pooling_mode") or [name for old, name in OLD_NAMES.items() if values.get(old)]
    names = (named,) if isinstance(named, str) else tuple(named)
    if not names or not set(names) <= set(POOLINGS):
        raise TaskError(f"{path} asks for the pooling {', '.join(names) or '(none)'}; known are {', '.join(POOLINGS)}.")
    return names


def _prompt(values: Mapping[str, Any], folder: Path) -> str:
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


def _read(path: Path, *, default: Any = None) -> Any:
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} could not be read ({error}), so how to make sentence vectors is unknown. Download the model again."
        ) from error
