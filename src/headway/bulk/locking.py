"""One process for each output. The system takes the lock back from a process that is killed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headway.errors import ConfigError

LOCK = "lock"


@contextmanager
def locked(folder: Path, output: Path) -> Iterator[None]:
    """Hold the lock in a folder, which is made if it is not there; an output that is being written is a ``ConfigError``."""
    descriptor = _take(folder, output)
    try:
        yield
    finally:
        os.close(descriptor)


def _take(folder: Path, output: Path) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # who held it is just removing the folder
            continue
        if not _lock(descriptor):
            os.close(descriptor)
            raise ConfigError(
                f"Another process is writing {output}: it holds the lock in {folder}. Wait until it is done, or name another "
                "output."
            )
        if _is_at(descriptor, folder / LOCK):
            return descriptor
        os.close(descriptor)  # the folder was removed between opening and locking


def _lock(descriptor: int) -> bool:
    """Lock an open file, without waiting; False where another process has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
