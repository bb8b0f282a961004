"""Checkpoints on disks that are full, gone or not ours: what happens when one cannot be written.

The rule: training goes on, what was written before stays, and the next checkpoint is tried when it is due. If the last one of the
run cannot be written either, that is an error, raised when all else is done.
"""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from headway.errors import CheckpointError, HeadwayError

REMEDY = "Free space, or mend the folder's permissions or its disk"


class Keeper:
    """Writes the checkpoints of a run, and remembers whether the last one is on disk."""

    def __init__(self) -> None:
        self.failure: str | None = None
        """Why the last checkpoint is not on disk; None where it is."""
        self.last: Path | None = None
        """The last one that was written."""

    def write(self, folder: Path, write: Callable[[], None], *, newest: Callable[[], Path | None]) -> str | None:
        """Write a checkpoint; where that fails say why, and what is there instead, and return that."""
        try:
            write()
        except HeadwayError:
            raise
        except (OSError, SafetensorError) as error:  # safetensors has its own error for a full disk
            before = newest()
            kept = f"the last one there is {before}" if before else "there is none before it"
            failure = f"{folder} could not be written ({error}); {kept}"
            warnings.warn(
                f"{failure}. Training goes on, and the next checkpoint is tried when it is due. {REMEDY}.", stacklevel=2
            )
            return failure
        return None

    def note(self, folder: Path, failure: str | None) -> None:
        """Remember what came of a checkpoint; of several processes the first alone writes it, and all know."""
        self.failure = failure
        self.last = self.last if failure else folder

    def check_last(self) -> None:
        """An error where the last checkpoint of a run that has ended is not on disk."""
        if self.failure is not None:
            raise CheckpointError(
                f"Training has ended, but {self.failure}. In this process the model has its weights still: save it to another "
                f"folder (trainer.save_model). {REMEDY}; the same run started again goes on from the last checkpoint there is."
            )


def check_writable(folder: str | Path) -> None:
    """Refuse a folder that cannot be written to, before any work is done for it."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"headway")
    except OSError as error:
        why = "it is a file" if Path(folder).is_file() else error
        raise CheckpointError(
            f"output_dir is {str(folder)!r}, which cannot be written to ({why}), so no checkpoint could be kept. "
            f"{REMEDY}, or give another folder."
        ) from error
