"""Writing files so that a reader, or the next run, sees the old state or the new one and never half of either."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; what was written takes the final name when the block ends well, and vanishes when it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield draft
        _flush(draft)
        os.replace(draft, path)
        _flush(path.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A folder to fill; it takes the final name, replacing what was there, when the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    draft.mkdir()
    try:
        yield draft
        for file in draft.rglob("*"):
            _flush(file)
        _replace_folder(draft, path)
        _flush(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def remove_drafts(folder: str | Path) -> None:
    """Remove what killed writers left in a folder: their drafts, which nothing ever reads."""
    for draft in Path(folder).glob(".*.part"):
        shutil.rmtree(draft) if draft.is_dir() else draft.unlink(missing_ok=True)


def _replace_folder(draft: Path, path: Path) -> None:
    if path.exists():
        old = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        os.replace(path, old)
        os.replace(draft, path)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(draft, path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
