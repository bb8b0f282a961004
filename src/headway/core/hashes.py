"""Hashes of large files, each file read once: what was found is remembered in the user's cache.

The cache's folder is ``HEADWAY_CACHE``, by default ``~/.cache/headway``.
"""

import hashlib
import json
import os
import time
from pathlib import Path

from headway.core.files import atomic_file

SETTLED_SECONDS = 2.0
"""How old a file must be for its time stamp to tell it from its next version."""


def cache_folder() -> Path:
    """Where built graphs are kept."""
    named = os.environ.get("HEADWAY_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "headway"


def content_hash(file: Path) -> str:
    """SHA-256 in hex of a file's content; remembered by path, size and time of change, so that a large file is read once."""
    memory = cache_folder() / "hashes" / f"{hashlib.sha256(str(file.resolve()).encode()).hexdigest()}.json"
    stat = file.stat()
    seen = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
    if (known := _remembered(memory, seen)) is not None:
        return known
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if time.time() - stat.st_mtime > SETTLED_SECONDS:
        _remember(memory, {"file": seen, "sha256": found})
    return found


def _remembered(memory: Path, seen: list[int]) -> str | None:
    try:
        values = json.loads(memory.read_text(encoding="utf-8"))
        return str(values["sha256"]) if values["file"] == seen else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or not ours: hash again


def _remember(memory: Path, values: dict[str, object]) -> None:
    try:
        with atomic_file(memory) as draft:
            draft.write_text(json.dumps(values), encoding="utf-8")
    except OSError:
        return  # only time is lost
