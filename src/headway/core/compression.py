"""Files compressed with gzip, xz or bzip2, which their names' endings say."""

import bz2
import gzip
import lzma
import re
from pathlib import Path
from typing import IO, cast

COMPRESSED = (".gz", ".xz", ".bz2")
BEGINNINGS = {
    ".gz": rb"\x1f\x8b",
    ".xz": rb"\xfd7zXZ\x00",
    ".bz2": rb"BZh[1-9]1AY&SY",
    ".zst": rb"\x28\xb5\x2f\xfd",
    ".zip": rb"PK\x03\x04",
    ".parquet": rb"PAR1\x15",
}
"""The first bytes of files that are no text, by the endings that say what they are."""


def true_ending(head: bytes) -> str | None:
    """The ending that a file's name should have for its first bytes, or None where they may be those of a text."""
    return next((ending for ending, beginning in BEGINNINGS.items() if re.match(beginning, head)), None)


def decompressed(file: IO[bytes], path: Path) -> IO[bytes]:
    """The bytes of an open file after decompression, which its name's ending decides."""
    match path.suffix.lower():
        case ".xz":
            return cast(IO[bytes], lzma.open(file))
        case ".gz":
            return cast(IO[bytes], gzip.open(file))
        case ".bz2":
            return cast(IO[bytes], bz2.open(file))
        case _:
            return file
