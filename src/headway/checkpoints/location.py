"""Where a model's files are: a local folder, a model that ships with Headway, or a snapshot of a Hub repository."""

from pathlib import Path
from typing import Literal, TypeAlias

from headway.errors import CheckpointError

Wanted: TypeAlias = Literal["all", "config", "tokenizer"]


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

    A shipped model's short name comes first, then a local folder, which never touches the network; anything else is a Hub repository, whose files
    are downloaded once into the Hub's cache. ``files`` says which kinds are downloaded.
    """
    folder = Path(name_or_path).expanduser()
    if folder.is_dir():
        return folder
    raise CheckpointError(f"{name_or_path} is not a folder.")
