"""Files compressed with gzip, xz or bzip2, which their names' endings say."""

import bz2
import gzip
import lzma
from pathlib import Path
from typing import IO, cast

COMPRESSED = (".gz", ".xz", ".bz2")


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
