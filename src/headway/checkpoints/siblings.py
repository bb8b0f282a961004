"""What several models have in common, kept once: files of a folder beside theirs, such as a tokenizer or a table of tokens.

A model says which folder, which file, and which content. That comes with the model, so it is not trusted: the folder is one plain
name beside the model's own, the file is one of few, and what stands there is used only if its SHA-256 is the one that the model
was exported with.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from headway.core.hashes import content_hash
from headway.core.updates import undisturbed
from headway.errors import CheckpointError

Found = TypeVar("Found")

NOTE = "headway_shared"
"""What ``config.json`` calls the sibling that holds the tokenizer."""

TOKENIZER = "tokenizer.json"
TENSORS = {"fp32": "shared.safetensors", "int8": "shared_int8.safetensors"}
"""The files with what graphs share, by precision."""

SHAREABLE = frozenset({TOKENIZER, *TENSORS.values()})
PLAIN = re.compile(r"\w[\w. +-]*")
"""A folder's name that leads nowhere else: neither a separator, nor a drive, nor a dot before all."""

HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Sibling:
    """A file of a folder that stands beside a model's: the folder's name, the file's, and the SHA-256 of what is in it."""

    folder: str
    file: str
    sha256: str


def is_plain(name: str) -> bool:
    """Whether a sibling may have this name."""
    return PLAIN.fullmatch(name) is not None


def is_shared_part(folder: Path) -> bool:
    """Whether a folder is no model, but holds what several have in common."""
    return any((folder / name).is_file() for name in TENSORS.values())


def beside(folder: str | Path) -> Path:
    """The folder in which a model's folder stands, and its siblings with it."""
    return Path(os.path.abspath(folder)).parent


def read_note(note: Any, *, place: Path) -> Sibling:
    """What a note of the model in ``place`` means. One that names anything but a file that models share is refused."""
    values = note if isinstance(note, Mapping) else {}
    said = [values.get(name) for name in ("folder", "file", "sha256")]
    found = Sibling(*(one if isinstance(one, str) else "" for one in said))
    if is_plain(found.folder) and found.file in SHAREABLE and HASH.fullmatch(found.sha256):
        return found
    raise CheckpointError(
        f"{place} says that a part of it is shared, and names {note!r}. That is refused: it may only be one of "
        f"{', '.join(sorted(SHAREABLE))} in a folder beside it, by plain name and with its SHA-256, and nothing else was opened. "
        "Get the model from its origin again."
    )


def from_sibling(folder: Path, wanted: Sibling, *, read: Callable[[Path], Found]) -> Found:
    """What ``read`` makes of the sibling's file, which is there and is the one that the model in ``folder`` was exported with."""
    place = beside(folder) / wanted.folder
    path = place / wanted.file
    if not path.is_file():
        raise CheckpointError(
            f"{folder} has a part that it shares with other models, and {path} is not there. Keep the folder {wanted.folder}, "
            f"with which the model came, beside it. Where both are, headway export {folder.name} --output WHOLE makes a model "
            "that needs no other folder."
        )
    with undisturbed(place):
        if content_hash(path) != wanted.sha256:
            raise CheckpointError(
                f"{path} is not what {folder} was exported with (its SHA-256 is another), so answers would be another model's. "
                f"Put the right folder {wanted.folder} beside the model, or export the model again with --share {place}."
            )
        return read(path)


def tokenizer_json(folder: Path, config: Mapping[str, Any]) -> Path | None:
    """The folder's ``tokenizer.json``, its own or the one that it shares, as its ``config`` says; None where it has neither."""
    if (own := folder / TOKENIZER).is_file():
        return own
    note = config.get(NOTE)
    return None if note is None else from_sibling(folder, read_note(note, place=folder), read=lambda path: path)
