"""Built graphs kept for the next time, under a name that is a fingerprint of all that went into them.

The folder is ``HEADWAY_CACHE``, by default ``~/.cache/headway``. A file has its final name only when it is whole, so a killed
writer leaves nothing that anybody would read, and two writers at once write the same. Graphs that were not used for longest make
room for new ones beyond ``HEADWAY_CACHE_GB``, by default 10.
"""

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from headway.core.files import atomic_file
from headway.core.hashes import cache_folder, content_hash
from headway.errors import ConfigError

USUAL_LIMIT_GB = 10.0
IN_USE_SECONDS = 3600.0
"""How long after its last use a graph is not removed: another process may be about to open it."""


def cached(key: str, build: Callable[[], bytes]) -> Path | bytes:
    """The file under this key, built if it is not there. Where the folder cannot be written, the bytes, and a warning says so."""
    path = cache_folder() / "graphs" / f"{key}.onnx"
    if path.is_file():
        with suppress(OSError):
            os.utime(path)  # the time of change is that of the last use
        return path
    built = build()
    try:
        with atomic_file(path) as draft:
            draft.write_bytes(built)
        _make_room(path.parent, keep=path)
    except OSError as error:
        warnings.warn(
            f"The model's graph could not be kept in {path.parent} ({error}), so it is built again each time. "
            "Set HEADWAY_CACHE to a folder that can be written.",
            stacklevel=2,
        )
        return built
    return path


def _make_room(folder: Path, *, keep: Path) -> None:
    """Remove the graphs that were not used for longest until the rest fits; ``keep`` and those in use stay."""
    limit, now = _limit_bytes(), time.time()
    found = sorted(((file, file.stat()) for file in folder.glob("*.onnx")), key=lambda entry: entry[1].st_mtime)
    size = sum(stat.st_size for _, stat in found)
    for file, stat in found:
        if size > limit and file != keep and now - stat.st_mtime > IN_USE_SECONDS:
            file.unlink(missing_ok=True)
            size -= stat.st_size


def _limit_bytes() -> float:
    named = os.environ.get("HEADWAY_CACHE_GB", str(USUAL_LIMIT_GB))
    try:
        return float(named) * 1e9
    except ValueError as error:
        raise ConfigError(f"HEADWAY_CACHE_GB is {named!r}, but it is a number of gigabytes, such as 10. Correct it.") from error


def fingerprint(files: Iterable[Path], *settings: str) -> str:
    """SHA-256 in hex of the files' contents and the settings."""
    parts = [*settings, *(f"{file.name}:{content_hash(file)}" for file in sorted(files))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
