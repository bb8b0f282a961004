"""Folders in small parts, to and from a machine to which only so much can be moved at a time: ``parts.py COMMAND …``.

  pack NAME OUT FILE…         the files, compressed, as OUT/NAME-00.part, -01 …, and OUT/NAME.json, which lists them
  unpack FROM TO              what is whole of all that lies in FROM, into TO; the status is 75 while parts are missing
  next FROM OUT MIB           the parts of FROM that were not taken yet, as many as MIB holds, into OUT; 75 while more are left.
                              Each that is taken has a .taken beside it: without that it is given again
  half FOLDER OUT             a model's weights in float16, which are half as large, with its other files
  speed FOLDER                the tokens a second of a pre-training's log, as a share of this GPU's measured matrix products

Tokens are two bytes each, which the compression is told. Parts that come one after the other may come in any order; each is held
to its SHA-256, and nothing is unpacked before all are there.
"""

import hashlib
import io
import json
import lzma
import shutil
import statistics
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

PART = 15 << 20
"""Bytes of a part."""
MORE = 75
"""The status where something is still to come: EX_TEMPFAIL of sysexits.h."""
TWO_BYTES: list[dict[str, Any]] = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lp": 1, "lc": 3, "pb": 1}]


class Parts(io.RawIOBase):
    """A file that is written as parts of equal size."""

    def __init__(self, folder: Path, name: str, *, size: int = PART) -> None:
        self.folder, self.name, self.size = folder, name, size
        self.found: dict[str, str] = {}
        self._waiting = bytearray()

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, block: Any) -> int:
        """Take in some bytes."""
        self._waiting += block
        while len(self._waiting) >= self.size:
            self._keep(self.size)
        return len(block)

    def close(self) -> None:
        """Write what is left."""
        if self._waiting:
            self._keep(len(self._waiting))
        super().close()

    def _keep(self, size: int) -> None:
        name, block = f"{self.name}-{len(self.found):02d}.part", bytes(self._waiting[:size])
        (self.folder / name).write_bytes(block)
        self.found[name] = hashlib.sha256(block).hexdigest()
        del self._waiting[:size]


def pack(name: str, out: str, *files: str, size: int = PART) -> int:
    """The files and folders as parts; each lies in the archive under its own name alone."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    parts: Any = Parts(folder, name, size=size)
    with parts, lzma.open(parts, "wb", filters=TWO_BYTES) as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        for file in map(Path, files):
            archive.add(file, arcname=file.name)
    (folder / f"{name}.json").write_text(json.dumps(parts.found, indent=1) + "\n", encoding="utf-8")
    total = sum((folder / part).stat().st_size for part in parts.found)
    print(f"{name}: {len(parts.found)} parts, {total / (1 << 20):.1f} MiB")
    return 0


def unpack(source: str, target: str) -> int:
    """Keep what has come, and unpack what is whole."""
    incoming, missing = Path(target) / "incoming", 0
    incoming.mkdir(parents=True, exist_ok=True)
    for file in [*Path(source).glob("*.part"), *Path(source).glob("*.json")]:
        shutil.copy(file, incoming / file.name)
    for listed in sorted(incoming.glob("*.json")):
        done, said = incoming / f"{listed.stem}.done", listed.read_text(encoding="utf-8")
        expected = json.loads(said)
        if done.is_file() and done.read_text(encoding="utf-8") == said:
            _remove(incoming, expected)
            continue
        absent = [name for name, digest in expected.items() if not _is_whole(incoming / name, digest)]
        if absent:
            print(f"{listed.stem}: {len(absent)} of {len(expected)} parts are to come: {', '.join(absent)}")
            missing += 1
            continue
        _extract([incoming / name for name in expected], Path(target))
        done.write_text(said, encoding="utf-8")
        _remove(incoming, expected)
        print(f"{listed.stem}: unpacked")
    return MORE if missing else 0


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _is_whole(part: Path, digest: str) -> bool:
    return part.is_file() and hashlib.sha256(part.read_bytes()).hexdigest() == digest


def _extract(parts: Sequence[Path], target: Path) -> None:
    joined: Any = io.BufferedReader(_Joined(_blocks(parts)))
    with lzma.open(joined) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
        archive.extractall(target, filter="data")


def _blocks(parts: Sequence[Path]) -> Iterator[bytes]:
    for part in parts:
        yield part.read_bytes()


class _Joined(io.RawIOBase):
    """Blocks of bytes as one file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._blocks, b"")
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def take_next(source: str, out: str, mebibytes: str) -> int:
    """As many parts as are asked for, of those that were not taken yet."""
    folder, room, left, took = Path(source), float(mebibytes) * (1 << 20), 0, 0
    Path(out).mkdir(parents=True, exist_ok=True)
    for listed in folder.glob("*.json"):
        shutil.copy(listed, out)
    for part in sorted(folder.glob("*.part")):
        if (taken := part.with_suffix(".taken")).exists():
            continue
        room -= part.stat().st_size
        if room < 0:
            left += 1
            continue
        shutil.copy(part, out)
        taken.touch()
        took += 1
        print(f"took {part.name}")
    if left and not took:
        sys.exit(f"{mebibytes} MiB hold no part of up to {PART >> 20}, so none would ever go. Ask for more at once.")
    print(f"{left} parts are left")
    return MORE if left else 0


def half(model: str, out: str) -> int:
    """A model folder whose weights are float16, without its checkpoints."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    from headway.checkpoints import locate
    from headway.core.files import atomic_folder

    source = locate(model)
    unwanted = shutil.ignore_patterns("checkpoint-*", "*.safetensors", "*.onnx", "teacher", "tokens", "*.bin", "*.h5")
    weights = load_file(source / "model.safetensors")
    low = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in weights.items()}
    with atomic_folder(out) as draft:
        shutil.copytree(source, draft, ignore=unwanted, dirs_exist_ok=True)
        save_file(low, draft / "model.safetensors", metadata={"format": "pt"})
    return 0


def speed(folder: str) -> int:
    """What the log of a pre-training says of its speed, beside what this device's matrix products reach now."""
    import torch

    from headway import AutoModelForMaskedLM
    from headway.training.batch import step_operations
    from headway.training.machine import device_for, matrix_product_peak

    settings = _settings(Path(folder))
    lines = [json.loads(line) for line in (Path(folder) / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    found = statistics.median(line["tokens_per_second"] for line in lines if "tokens_per_second" in line)
    length = int(settings.get("max_length", 128))
    a_text = step_operations(
        AutoModelForMaskedLM.from_pretrained(folder), [length], round(float(settings.get("mlm_probability", 0.15)) * length)
    )
    peak = matrix_product_peak(torch.device(device_for(use_cpu=False)), half=torch.bfloat16)
    share = found * a_text / length / peak
    said = {"tokens_per_second": found, "bf16_matrix_product_teraflops": peak / 1e12, "share_of_peak": share}
    (Path(folder) / "speed.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    print(f"{Path(folder).name}: {found:,.0f} tokens/s, {100 * share:.1f} % of {peak / 1e12:,.0f} TFLOP/s")
    return 0


def _settings(folder: Path) -> dict[str, Any]:
    import tomllib

    file = folder / "settings.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


COMMANDS: dict[str, Callable[..., int]] = {"pack": pack, "unpack": unpack, "next": take_next, "half": half, "speed": speed}

if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    sys.exit(COMMANDS[sys.argv[1]](*sys.argv[2:]))
