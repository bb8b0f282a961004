"""Weights that ``torch.save`` wrote (``pytorch_model.bin``), read without torch and without running anything.

Two forms exist. Since torch 1.6 it is a zip archive: ``data.pkl`` describes the tensors, ``data/0``, ``data/1`` ... hold their
numbers. Before, it was one stream: a magic number, a version, facts about the machine, the pickle that describes the tensors, a
list of the storages' keys, and the storages themselves. In both, the pickle is read by ``pickles.py``, which can describe tensors
and nothing else, and the numbers stay in the mapped file until somebody asks for them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from headway.checkpoints.archives import LOCAL_MARK, contents, directory
from headway.checkpoints.mapped import MappedFile, map_file
from headway.checkpoints.pickles import Machine, Name, shown
from headway.checkpoints.rebuilding import ITEM_BYTES, NAMES, Storage, StoredView, whole
from headway.checkpoints.tensors import StoredTensor

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
ORDERS = {b"little": "<", b"big": ">"}
SIZE_BYTES = 8
Find: TypeAlias = Callable[[str], np.ndarray]


def read_pickled(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a state dictionary by name, none of them read yet; anything else is a ``WeightError``."""
    file = map_file(path, form="file of torch weights")
    if file.content[:4].tobytes() == LOCAL_MARK:
        return _read_zip(file)
    return _read_stream(file)


def _read_zip(file: MappedFile) -> dict[str, StoredTensor]:
    listed = list(directory(file))
    if any(record.name.endswith("/constants.pkl") for record in listed):
        raise file.refused("it is a TorchScript program")
    records = contents(file, listed)
    pickles = [name for name in records if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise file.damaged(f"it has {len(pickles)} records data.pkl")
    folder = pickles[0].removesuffix("data.pkl")
    order = ORDERS.get(records[f"{folder}byteorder"].tobytes()) if f"{folder}byteorder" in records else "<"
    if order is None:
        raise file.damaged("its byte order is neither little nor big")

    def find(key: str) -> np.ndarray:
        if (content := records.get(f"{folder}data/{key}")) is None:
            raise file.damaged(f"the storage {key[:100]!r} is missing")
        return content

    table = MappedFile(file.path, records[pickles[0]], file.form)
    machine = Machine(table, start=0, names=NAMES, refer=_zip_storage)
    return _tensors(file, machine.run(), find, order)


def _zip_storage(reference: tuple[Any, ...]) -> Storage:
    match reference:
        case ("storage", Name(kind=str(kind)), str(key), str(), count):
            return Storage(key, kind, whole(count))
    raise ValueError(f"something that is no storage: {', '.join(map(shown, reference[:6]))}")


def _read_stream(file: MappedFile) -> dict[str, StoredTensor]:
    if file.content[:1].tobytes() != b"\x80":
        raise file.damaged("it is neither a zip archive nor a pickle as torch.save writes them")
    storages = _Counts()
    start, values = 0, []
    for _ in ("magic number", "version", "facts about the machine", "tensors", "keys"):
        machine = Machine(file, start=start, names=NAMES, refer=storages.refer)
        values.append(machine.run())
        start = machine.position
        if len(values) <= 2 and values[-1] != (MAGIC, VERSION)[len(values) - 1]:
            raise file.damaged("it does not begin with torch's magic number and version")
    found = _stream_storages(file, start, values[4], storages)
    return _tensors(file, values[3], found.__getitem__, "<")


class _Counts:
    """The storages that a stream's pickle refers to: how many elements of how many bytes each."""

    def __init__(self) -> None:
        self.of: dict[str, tuple[int, int]] = {}

    def refer(self, reference: tuple[Any, ...]) -> Storage:
        """The storage, or the part of one, that a persistent id names."""
        match reference:
            case ("storage", Name(kind=str(kind)), str(key), str(), count, view):
                size, item = self.of.setdefault(key, (whole(count), ITEM_BYTES[kind]))
                room = size * item // ITEM_BYTES[kind]
                match view:
                    case None:
                        return Storage(key, kind, min(count, room))
                    case (str(), start, length) if whole(start) + whole(length) <= room:
                        return Storage(key, kind, length, start)
            case ("module", *_):
                raise ValueError("the source code of a module")
        raise ValueError(f"something that is no storage: {', '.join(map(shown, reference[:6]))}")


def _stream_storages(file: MappedFile, start: int, keys: Any, storages: _Counts) -> dict[str, np.ndarray]:
    """The storages behind the pickles, each with its number of elements before it."""
    if type(keys) is not list or set(map(type, keys)) - {str} or sorted(keys) != sorted(storages.of):
        raise file.damaged("the list of its storages is not that of its tensors")
    found = {}
    for key in keys:
        count, item = storages.of[key]
        begin = start + SIZE_BYTES
        start = begin + count * item
        if start > len(file.content):
            raise file.damaged(f"the storage {key[:100]!r} ends beyond it")
        if int.from_bytes(file.content[begin - SIZE_BYTES : begin].tobytes(), "little") != count:
            raise file.damaged(f"the storage {key[:100]!r} has another size than its tensors say")
        found[key] = file.content[begin:start]
    return found


def _tensors(file: MappedFile, found: Any, find: Find, order: str) -> dict[str, StoredTensor]:
    if type(found) is not dict:
        raise file.refused(f"it holds {shown(found)} instead of a table of weights")
    return {name: _tensor(file, name, view, find, order) for name, view in found.items()}


def _tensor(file: MappedFile, name: str, view: Any, find: Find, order: str) -> StoredTensor:
    if not isinstance(view, StoredView):
        raise file.refused(f"its entry {name[:100]!r} is {shown(view)}")
    storage = view.storage
    item = ITEM_BYTES[storage.kind]
    content = find(storage.key)
    if (storage.start + storage.count) * item > len(content):
        raise file.damaged(f"{name[:100]!r} needs {storage.count:,} elements of {storage.kind}, more than its storage has")
    begin = (storage.start + view.offset) * item
    strides = None if view.is_contiguous else view.strides
    return StoredTensor(
        name, file.path, storage.kind, view.shape, content[begin : begin + view.span * item], strides=strides, order=order
    )
