"""Where tables come from: files here, standard input, and files in object stores by their URIs."""

import glob
import io
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from headway.core.compression import COMPRESSED, decompressed, true_ending
from headway.errors import DataError
from headway.tables.form import Form, Opened, with_head
from headway.tables.forms import PACKED, all_forms, form_named, form_of, known_suffixes, suffix_of

STANDARD_INPUT = "-"
URI = re.compile(r"(s3|gs|gcs|abfss?|hdfs|viewfs|file)://\S+")


@dataclass(frozen=True)
class Source:
    """One file by its path or URI, or standard input; its form by name where the ending does not say it."""

    name: str
    form: str | None = None

    @property
    def once(self) -> bool:
        """Whether it can be read only once, as standard input and pipes, such as ``<(command)``."""
        return self.name == STANDARD_INPUT or _is_pipe(self.name)

    def identity(self) -> dict[str, Any]:
        """What tells this file from the next of its name: its size and when it was changed."""
        if self.once:
            return {"name": self.name}
        if URI.fullmatch(self.name):
            file = _stored(self.name)[2]
            return {"name": self.name, "size": file.size, "changed": file.mtime_ns}
        here = os.stat(self.name)
        return {"name": self.name, "size": here.st_size, "changed": here.st_mtime_ns}

    @contextmanager
    def opened(self) -> Iterator[tuple[Form, Opened]]:
        """The file ready to be read, and its form."""
        with _raw(self.name) as (raw, size), _unpacked(raw, self.name) as stream:
            if self._is_text():
                _check_beginning(raw, self.name)
            form, stream = self._form(stream)
            yield form, Opened(self.name, stream, lambda: min(raw.tell() / size, 1.0) if size else 0.0)

    @contextmanager
    def stored(self) -> Iterator[IO[bytes]]:
        """The bytes as they are stored."""
        with _raw(self.name) as (raw, _):
            yield raw

    @contextmanager
    def unpacked(self) -> Iterator[IO[bytes]]:
        """The bytes after decompression, which the name's ending decides."""
        with _raw(self.name) as (raw, _), _unpacked(raw, self.name) as stream:
            yield stream

    def _is_text(self) -> bool:
        """Whether the name, or what was said beside it, promises text as it is."""
        as_parquet = self.form == "parquet" or suffix_of(self.name) in form_named("parquet").suffixes
        known = self.form is not None or self.once or suffix_of(self.name) in known_suffixes()
        return known and not as_parquet and Path(self.name).suffix.lower() not in PACKED

    def _form(self, stream: IO[bytes]) -> tuple[Form, IO[bytes]]:
        if self.form is not None or (self.once and suffix_of(self.name) not in known_suffixes()):
            return form_named(self.form or "lines"), stream
        if not any(form.matches and suffix_of(self.name) in form.suffixes for form in all_forms()):
            return form_of(self.name), stream
        head, again = with_head(stream)
        if stream.seekable():
            stream.seek(0)
            again = stream
        return form_of(self.name, head), again


def names_files(word: str) -> bool:
    """Whether a word on the command line means files: what is there, a pattern, a URI, or the name of a table that is missing."""
    if word == STANDARD_INPUT or URI.fullmatch(word) or _is_file(word):
        return True
    plain = not re.search(r"\s", word)
    return plain and (suffix_of(word) in known_suffixes() or (glob.has_magic(word) and any(map(_is_file, _matches(word)))))


def find_sources(word: str, *, form: str | None = None) -> list[Source]:
    """The files that a word means, in the order of their names; none is a ``DataError``."""
    if word == STANDARD_INPUT or URI.fullmatch(word):
        return [Source(word, form)]
    if _is_file(word):
        return [Source(word, form)]
    found = sorted(filter(_is_file, _matches(word)))
    if not found:
        what = "No file matches" if glob.has_magic(word) else "There is no file"
        raise DataError(f"{what} {word}, so there is nothing to read. Check the path, which starts at {os.getcwd()}.")
    return [Source(name, form) for name in found]


def _matches(word: str) -> list[str]:
    return glob.glob(word, recursive=True)


def _is_file(word: str) -> bool:
    try:
        return os.path.exists(word) and not os.path.isdir(word)  # a pipe, such as <(command), is one too
    except ValueError:  # a text with a zero byte
        return False


def _is_pipe(name: str) -> bool:
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):  # nothing is there, or the name is a URI
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _check_beginning(raw: IO[bytes], name: str) -> None:
    """Refuse a file that is read as text although its first bytes say that it is none: it would have no rows, or wrong ones."""
    ending = true_ending(raw.peek(16)) if isinstance(raw, io.BufferedReader) else None
    if ending is None:
        return
    what, mend = (
        (name, f"End its name in {ending}") if name != STANDARD_INPUT else ("Standard input", f"Save it as a file in {ending}")
    )
    mend = {".zip": "Unpack it first, or save a spreadsheet as CSV", ".parquet": mend}.get(ending, f"{mend}, or unpack it first")
    raise DataError(f"{what} is no text: its first bytes are those of a {ending} file. {mend}.")


@contextmanager
def _raw(name: str) -> Iterator[tuple[IO[bytes], int]]:
    """The bytes as they are stored, and how many they are."""
    if name == STANDARD_INPUT:
        yield sys.stdin.buffer, 0
    elif URI.fullmatch(name):
        system, path, file = _stored(name)
        with system.open_input_file(path) as stored:
            yield stored, file.size
    else:
        with Path(name).open("rb") as here:
            yield here, os.fstat(here.fileno()).st_size


def _stored(name: str) -> Any:
    """The file system, the path in it and the description of a file in an object store."""
    from pyarrow import fs

    system, path = fs.FileSystem.from_uri(name)
    file = system.get_file_info(path)
    if file.type != fs.FileType.File:
        raise DataError(f"{name} is no file in its store, so there is nothing to read. Check its name, and name files alone.")
    return system, path, file


def _unpacked(raw: IO[bytes], name: str) -> Any:
    """The bytes after decompression, which the name's ending decides."""
    if name.lower().endswith(".zst"):
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
    packed = Path(name).suffix.lower() in COMPRESSED
    return decompressed(raw, Path(name)) if packed else nullcontext(raw)
