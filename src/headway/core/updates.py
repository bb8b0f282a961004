"""Several files of one folder replaced together, though a file system renames only one at a time.

The new files are written to a draft inside the folder; one rename of the draft commits them; then each takes its place. Whoever
is killed before the commit changes nothing, and after it ``finish_update`` completes what is left: readers call it first.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headway.core.files import draft_of, flush, flush_all

COMMITTED = ".headway-update"
PLAN = ".plan.json"


@contextmanager
def atomic_update(folder: str | Path, *, replaces: Iterable[str] = ()) -> Iterator[Path]:
    """An empty folder to fill with files; when the block ends well they replace those of ``folder``, all together.

    Files may stand in folders of their own, which then hold them beside what they held before. Files that match a pattern in
    ``replaces`` and that the update does not bring are removed with the same stroke. All others stay.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with draft_of(folder / COMMITTED.removeprefix(".")) as draft:
        draft.mkdir()
        yield draft
        brought = sorted(file.relative_to(draft).as_posix() for file in draft.rglob("*") if file.is_file())
        (draft / PLAN).write_text(json.dumps({"brings": brought, "replaces": list(replaces)}), encoding="utf-8")
        flush_all(draft)
        with _locked(folder):
            _complete(folder)
            os.replace(draft, folder / COMMITTED)
            flush(folder)
            _complete(folder)


@contextmanager
def undisturbed(folder: str | Path) -> Iterator[None]:
    """Read several files of a folder as one state: no update takes place meanwhile. What was opened may be read on afterwards."""
    folder = Path(folder)
    while True:
        finish_update(folder)
        with _locked(folder, shared=True):
            if not (folder / COMMITTED).exists():  # else a writer committed, and was killed, just before the lock
                yield
                return


def finish_update(folder: str | Path) -> None:
    """Complete an update whose writer was killed after committing it; nothing to do otherwise."""
    folder = Path(folder)
    if (folder / COMMITTED).exists():
        with _locked(folder):
            _complete(folder)


def _complete(folder: Path) -> None:
    committed = folder / COMMITTED
    if not committed.exists():
        return
    if (committed / PLAN).exists():
        plan = json.loads((committed / PLAN).read_text(encoding="utf-8"))
        for name in plan["brings"]:
            if (committed / name).exists():  # else it took its place before the writer was killed
                _take(committed / name, folder / name)
        for stale in {file for pattern in plan["replaces"] for file in folder.glob(pattern)}:
            if stale.relative_to(folder).as_posix() not in plan["brings"]:
                stale.unlink()
        flush(folder)
        (committed / PLAN).unlink()
    shutil.rmtree(committed)  # what is left of it is empty


def _take(new: Path, place: Path) -> None:
    """Put a file in its place."""
    place.parent.mkdir(exist_ok=True, parents=True)
    os.replace(new, place)


@contextmanager
def _locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Keep updates of the folder apart from one another and from readers; the system lets go of the lock when a holder dies."""
    try:
        import fcntl
    except ImportError:  # Windows: two processes in one folder at the same time are not kept apart
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks, where the same is true
            fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
