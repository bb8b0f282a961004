"""What a job has done so far: numbered parts in a folder beside the output, each written whole or not at all.

The folder holds a manifest that says which job it is, and one file of Arrow for each part, whose name has the numbers of its
first row and of the one behind its last. The counts of everything up to a part's end stand in the part itself, so that whoever
goes on reads the last one alone. A lock, which the system takes back from a killed process, keeps two from the same output.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.bulk.locking import locked
from headway.bulk.merging import fitted_batch, merged
from headway.core.files import atomic_file, draft_of
from headway.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "job.json"
PART = re.compile(r"(\d{12})-(\d{12})\.arrow")
STATE = b"headway.state"


@dataclass(frozen=True)
class Parts:
    """The parts of one job, which this process alone may write while it holds the lock."""

    folder: Path
    output: Path
    job: Mapping[str, Any]

    def files(self) -> list[Path]:
        """The parts in the order of their rows."""
        return sorted(path for path in self.folder.iterdir() if PART.fullmatch(path.name))

    def state(self) -> dict[str, Any]:
        """The counts up to the end of the last part; empty where there is none."""
        files = self.files()
        return read_state(files[-1]) if files else {}

    @property
    def complete(self) -> bool:
        """Whether every row is done, so that only the output is left to be written."""
        return bool(_manifest(self.folder).get("complete"))

    def append(self, batches: "Sequence[pa.RecordBatch]", state: Mapping[str, Any], *, first: int) -> None:
        """Keep some rows for good, with the counts up to their end."""
        end = first + sum(batch.num_rows for batch in batches)
        with kept_if_full(self.folder, self.output), atomic_file(self.folder / f"{first:012}-{end:012}.arrow") as draft:
            _write_part(draft, batches, state)

    def finish(self) -> None:
        """Say that every row is done."""
        with kept_if_full(self.folder, self.output):
            _write_manifest(self.folder, {"job": self.job, "complete": True})

    def remove(self) -> None:
        """Remove the folder: at once for whoever looks at its name, then bit by bit."""
        with draft_of(self.folder) as draft:
            os.replace(self.folder, draft)


@contextmanager
def kept_if_full(folder: Path, output: Path) -> Iterator[None]:
    """Say, where the system refuses to write, that nothing is lost and how to go on."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{output} cannot be written ({error}). Rows that were answered are kept in {folder}: make room, or make the place "
            "writable, and run the same again to go on."
        ) from error


def parts_folder(output: Path) -> Path:
    """Where the parts of a job lie until its output is written."""
    return output.with_name(output.name + ".parts")


@contextmanager
def parts_of(output: Path, job: Mapping[str, Any], *, restart: bool = False) -> Iterator[Parts]:
    """The parts of the job beside its output: those that are there, unless ``restart`` throws them away.

    Parts of another job, or a job that another process is working at, are a ``ConfigError``.
    """
    folder = parts_folder(output)
    with ExitStack() as stack:
        with kept_if_full(folder, output):
            stack.enter_context(locked(folder, output))
        parts, known = Parts(folder, output, job), {} if restart else _manifest(folder)
        if not known or not parts.files():
            _clear(folder)
            _write_manifest(folder, {"job": job})
        elif known["job"] != _plain(job):
            raise ConfigError(
                f"{folder} has the parts of a job that was begun otherwise: {differences(known['job'], _plain(job))}. Run it as "
                "it was begun to go on, or begin anew with --restart, which throws the parts away."
            )
        try:
            yield parts
        except BaseException:
            if not parts.files():  # there is nothing to go on with
                parts.remove()
            raise


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What of a job is another, in words."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return "; ".join(f"{name} was {_short(old.get(name))} and is {_short(new.get(name))}" for name in names)


def read_state(part: Path) -> dict[str, Any]:
    """The counts up to a part's end."""
    with opened_part(part) as reader:
        found: dict[str, Any] = json.loads(reader.schema.metadata[STATE])
        return found


@contextmanager
def opened_part(part: Path) -> Iterator[Any]:
    """A part's reader."""
    import pyarrow as pa

    with pa.memory_map(str(part)) as file, pa.ipc.open_file(file) as reader:
        yield reader


def _write_part(path: Path, batches: "Sequence[pa.RecordBatch]", state: Mapping[str, Any]) -> None:
    import pyarrow as pa

    described = merged(batch.schema for batch in batches).with_metadata({STATE: json.dumps(state).encode()})
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(str(path), described, options=options) as file:
        for batch in batches:
            file.write_batch(fitted_batch(batch, described))


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def _write_manifest(folder: Path, values: Mapping[str, Any]) -> None:
    with atomic_file(folder / MANIFEST) as draft:
        draft.write_text(json.dumps(values, indent=1), encoding="utf-8")


def _clear(folder: Path) -> None:
    """Throw the parts away; the manifest first, for without it nothing else counts."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in folder.iterdir():
        if PART.fullmatch(path.name):
            path.unlink()


def _plain(values: Any) -> Any:
    return json.loads(json.dumps(values))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "…"
