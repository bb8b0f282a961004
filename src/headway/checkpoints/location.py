"""Where a model's files are: a model that ships with Headway, a local folder, or a snapshot of a Hub repository."""

import difflib
import os
import warnings
from pathlib import Path
from typing import Any, Literal, TypeAlias

from headway.checkpoints.files import GRAPHS, INDEX, PICKLED, PICKLED_INDEX, PICKLED_SHARDS, SHARDS, WEIGHTS, weight_files
from headway.checkpoints.siblings import is_shared_part
from headway.core.updates import finish_update
from headway.errors import CheckpointError

Wanted: TypeAlias = Literal["all", "config", "tokenizer"]

TOKENIZER_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spm.model",
    "sentencepiece.bpe.model",
    "spiece.model",
)
MODEL_FILES = (WEIGHTS, INDEX, SHARDS, *GRAPHS)
PICKLED_FILES = (PICKLED, PICKLED_INDEX, PICKLED_SHARDS)
SENTENCE_FILES = (
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "[0-9]*_*/config.json",
    "[0-9]*_*/model.safetensors",
    "[0-9]*_*/pytorch_model.bin",  # small, and what many repositories have for their dense layers
)
ALIKE = 0.8
"""Share of equal letters from which on a name that is nowhere was probably meant for a model that ships."""
DOWNLOADS: dict[Wanted, tuple[str, ...]] = {
    "config": ("config.json",),
    "tokenizer": TOKENIZER_FILES,
    "all": (*TOKENIZER_FILES, *MODEL_FILES, *SENTENCE_FILES),
}


def locate(
    name_or_path: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    cache_dir: str | Path | None = None,
    files: Wanted = "all",
) -> Path:
    """The folder that holds a model's files.

    A shipped model's short name comes first, then a local folder; neither touches the network. Anything else is a Hub repository,
    whose files are downloaded once into the Hub's cache: a branch, tag or commit of it with ``revision``, a private one with
    ``token``. ``files`` says which kinds are downloaded; a download that was cut off goes on where it was.
    """
    if not name_or_path:
        raise CheckpointError(
            "No model is named. Give a folder, a model that ships with Headway, or a Hub repository such as 'owner/name'."
        )
    folder = Path(name_or_path).expanduser()
    if isinstance(name_or_path, str) and (shipped := shipped_models().get(name_or_path)) is not None:
        _warn_of_namesake(folder)
        return shipped
    if os.path.isdir(folder):  # Path.is_dir raises where a name is too long for the file system
        return _settled(folder)
    if os.path.isfile(folder):
        raise CheckpointError(f"{folder} is a file, but a model is a folder. Give its folder: {folder.parent}")
    place = {"revision": revision, "token": token, "local_files_only": local_files_only, "cache_dir": cache_dir}
    try:
        return _snapshot(str(name_or_path), files, place)
    except CheckpointError as error:
        alike = difflib.get_close_matches(str(name_or_path), shipped_models(), n=1, cutoff=ALIKE)
        if not alike:
            raise
        raise CheckpointError(f"{error} Or did you mean {alike[0]!r}, which ships with Headway?") from error


def _snapshot(repository: str, files: Wanted, place: dict[str, Any]) -> Path:
    """The folder with a repository's files. Its pickled weights are downloaded only if it has no safetensors."""
    from headway.checkpoints.hub import download

    folder = download(repository, patterns=DOWNLOADS[files], **place)
    if files != "all" or weight_files(folder):
        return folder
    commit = folder.name  # the branch may have moved since
    return download(repository, patterns=(*DOWNLOADS[files], *PICKLED_FILES), **{**place, "revision": commit})


def shipped_models() -> dict[str, Path]:
    """The models inside the package, by short name."""
    return {folder.name: folder for folder in _shipped_folders() if not is_shared_part(folder)}


def shipped_parts() -> dict[str, Path]:
    """The folders inside the package that are no models, but hold what several share, by name."""
    return {folder.name: folder for folder in _shipped_folders() if is_shared_part(folder)}


def _shipped_folders() -> list[Path]:
    from importlib.resources import files

    return [path.parent for path in sorted((Path(str(files("headway"))) / "models").glob("*/config.json"))]


def _settled(folder: Path) -> Path:
    try:
        finish_update(folder)
    except OSError as error:
        raise CheckpointError(
            f"Somebody was stopped while saving to {folder}, and the save has to be finished before the model is whole, "
            f"which failed: {error}. Load it once as a user who may write there."
        ) from error
    return folder


def _warn_of_namesake(folder: Path) -> None:
    if (folder / "config.json").is_file():
        warnings.warn(
            f"{folder} is both a model that ships with Headway and a folder here; the shipped one is used. "
            f"Write ./{folder} for the folder.",
            stacklevel=3,
        )
