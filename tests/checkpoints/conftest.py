"""Files of torch weights put together by hand, without torch: honest ones, and ones that no honest writer would make."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

NUMBERS = {"float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long", "uint16": "BFloat16"}
MAGIC = b"\x80\x02\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little") + b"."
VERSION = b"\x80\x02M\xe9\x03."
FACTS = b"\x80\x02}(X\x0d\x00\x00\x00little_endian\x88u."


class Assembler:
    """The instructions of pickles, and the two forms of file around them."""

    def text(self, value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()

    def number(self, value: int) -> bytes:
        return b"J" + struct.pack("<i", value) if -(2**31) <= value < 2**31 else b"\x8a\x10" + value.to_bytes(16, "little")

    def numbers(self, values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(self.number, values)) + b"t"

    def name(self, module: str, name: str) -> bytes:
        return f"c{module}\n{name}\n".encode()

    def storage(self, key: str, count: int, *, kind: str = "Float", stream: bool = False, view: bytes = b"N") -> bytes:
        """A reference to a storage; a stream's has one part more."""
        parts = self.text("storage") + self.name("torch", f"{kind}Storage") + self.text(key) + self.text("cpu")
        return b"(" + parts + self.number(count) + (view if stream else b"") + b"tQ"

    def tensor(self, storage: bytes, shape: tuple[int, ...], strides: tuple[int, ...], *, offset: int = 0) -> bytes:
        view = storage + self.number(offset) + self.numbers(shape) + self.numbers(strides)
        hooks = self.name("collections", "OrderedDict") + b")R"
        return self.name("torch._utils", "_rebuild_tensor_v2") + b"(" + view + b"\x89" + hooks + b"tR"

    def table(self, entries: Mapping[str, bytes]) -> bytes:
        """A whole pickle: names with what stands for them."""
        pairs = b"".join(self.text(name) + value for name, value in entries.items())
        return b"\x80\x02" + self.name("collections", "OrderedDict") + b")R(" + pairs + b"u."

    def weights(self, arrays: Mapping[str, np.ndarray], *, stream: bool = False) -> tuple[bytes, dict[str, bytes]]:
        """The pickle for these arrays, a storage for each, and the storages' bytes."""
        entries, storages = {}, {}
        for key, (name, array) in enumerate(arrays.items()):
            steps = tuple(step // array.itemsize for step in array.strides)
            storage = self.storage(str(key), array.size, kind=NUMBERS[array.dtype.name], stream=stream)
            entries[name] = self.tensor(storage, array.shape, steps)
            storages[str(key)] = array.tobytes()
        return self.table(entries), storages

    def zip(self, path: Path, pickle: bytes, storages: Mapping[str, bytes] | None = None, **records: bytes) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle)
            for name, content in {"version": b"3", "byteorder": b"little", **records}.items():
                archive.writestr(f"archive/{name}", content)
            for key, content in (storages or {}).items():
                archive.writestr(f"archive/data/{key}", content)
        return path

    def stream(
        self, path: Path, pickle: bytes, storages: Mapping[str, bytes] | None = None, *, facts: bytes = FACTS, item: int = 4
    ) -> Path:
        storages = dict(sorted((storages or {}).items()))
        keys = b"\x80\x02](" + b"".join(map(self.text, storages)) + b"e."
        contents = [struct.pack("<q", len(content) // item) + content for content in storages.values()]
        path.write_bytes(MAGIC + VERSION + facts + pickle + keys + b"".join(contents))
        return path


@pytest.fixture(scope="session")
def assemble() -> Assembler:
    return Assembler()
