"""Whether a checkpoint is what was written: a hash of each of its files stands beside them.

Disks, copies and full quotas lose parts of files without a word; a run that goes on from such a checkpoint learns nonsense.
"""

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

from headway.errors import CheckpointError

HASHES = "hashes.json"


def write_hashes(folder: Path) -> None:
    """Write down the SHA-256 of each file of the folder."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != HASHES)
    found = {file.relative_to(folder).as_posix(): _hash(file) for file in files}
    (folder / HASHES).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def damage(folder: Path) -> str | None:
    """What is wrong with the folder's files, in words; None where all are as they were written."""
    try:
        written = json.loads((folder / HASHES).read_text(encoding="utf-8"))
        for name, expected in written.items():
            if not (folder / name).is_file():
                return f"{name} is missing"
            if _hash(folder / name) != expected:
                return f"{name} is not what was written (its SHA-256 differs)"
    except (OSError, ValueError, AttributeError) as error:
        return f"{HASHES}, which says what was written, cannot be read ({error})"
    return None


def newest_sound(folders: Sequence[Path]) -> Path | None:
    """The last of the folders that is whole; damaged ones behind it are named in a warning.

    Where there are folders and none is whole it is a ``CheckpointError``.
    """
    found: list[str] = []
    for folder in reversed(folders):
        wrong = damage(folder)
        if wrong is None:
            if found:
                warnings.warn(f"{'; '.join(found)}. Going on from {folder}, the newest that is whole.", stacklevel=2)
            return folder
        found.append(f"{folder} is damaged: {wrong}")
    if found:
        raise CheckpointError(
            f"{folders[-1]} cannot be resumed from, and there is no older checkpoint that is whole: {'; '.join(found)}. Remove "
            "the folder to start anew, or give another output folder."
        )
    return None


def check_sound(folder: Path) -> Path:
    """The folder; one that is damaged is a ``CheckpointError``."""
    wrong = damage(folder)
    if wrong is not None:
        raise CheckpointError(f"{folder} cannot be resumed from: {wrong}. Remove the folder to go on from an older one.")
    return folder


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
