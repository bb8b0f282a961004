"""Writing files so that a reader, or the next run, sees the old state or the new one and never half of either.

Whoever is killed while writing leaves a draft under a hidden name that nothing reads. The name carries the writer's process id:
the next writer of the same thing removes drafts whose writers are gone and leaves those of the living alone.
"""

import glob
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HIDDEN = re.compile(r"\.(?P<name>.+)\.(?P<process>\d{1,9})-[0-9a-f]{8}\.(?:part|old)")

_own: set[str] = set()  # drafts of this process that are being written now


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; what was written takes the final name when the block ends well, and vanishes when it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(path) as draft:
        yield draft
        flush(draft)
        os.replace(draft, path)
        flush(path.parent)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A folder to fill; it takes the final name, replacing what was there, when the block ends well.

    Where the system cannot exchange two folders at once (Linux can), a kill between the two steps hides the old folder until
    ``remove_drafts`` on its parent, or the next writer, brings it back.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(path) as draft:
        draft.mkdir()
        yield draft
        flush_all(draft)
        if not path.exists():
            os.replace(draft, path)
        elif not _exchange(draft, path):
            _replace_in_two_steps(draft, path)
        flush(path.parent)


def remove_drafts(folder: str | Path) -> None:
    """Remove drafts, which nothing ever reads, of writers that were killed; a folder that lost its name half-way gets it back."""
    _clear(Path(folder), ".*")


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A hidden name beside ``path`` for this process alone; whatever bears it afterwards is removed."""
    _clear(path.parent, f".{glob.escape(path.name)}.*")
    draft = _hidden(path, "part")
    _own.add(draft.name)
    try:
        yield draft
    finally:
        _remove(draft)
        _own.discard(draft.name)


def flush_all(folder: Path) -> None:
    """Have the disk hold every file of the folder, and the folder itself."""
    for file in (*folder.rglob("*"), folder):
        flush(file)


def flush(path: Path) -> None:
    """Have the disk hold a file's contents or a folder's entries."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hidden(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.{suffix}")


def _clear(folder: Path, pattern: str) -> None:
    for old in folder.glob(f"{pattern}.old"):
        if (left := HIDDEN.fullmatch(old.name)) and not _lives(left):
            path = old.with_name(left["name"])
            if path.exists():
                _remove(old)
            else:
                os.replace(old, path)
    for draft in folder.glob(f"{pattern}.part"):
        if (left := HIDDEN.fullmatch(draft.name)) and not _lives(left):
            _remove(draft)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _lives(hidden: re.Match[str]) -> bool:
    """Whether the writer of what bears this hidden name may still be at it."""
    process = int(hidden["process"])
    if process == os.getpid():
        return hidden[0] in _own
    if os.name == "nt":  # there, signal 0 is a signal
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _exchange(draft: Path, path: Path) -> bool:
    """Swap two folders' names in one step; False where the system or the file system cannot."""
    if sys.platform != "linux":
        return False
    import ctypes

    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return renameat2 is not None and renameat2(here, os.fsencode(draft), here, os.fsencode(path), exchange) == 0


def _replace_in_two_steps(draft: Path, path: Path) -> None:
    old = _hidden(path, "old")
    _own.add(old.name)
    try:
        os.replace(path, old)
        os.replace(draft, path)
        _remove(old)
    finally:
        _own.discard(old.name)
