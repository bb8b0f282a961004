"""A graph without what it shares with others, and whole again; and the file with what they share.

What is left out becomes external data in ONNX's own words, with its place in the shared file: where that file is copied beside
the graph, any runtime that reads the graph finds it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from headway.checkpoints.siblings import TENSORS, Sibling, beside, is_plain
from headway.checkpoints.tensors import data_places, read_safetensors
from headway.core.hashes import content_hash
from headway.errors import CheckpointError, ConfigError, WeightError
from headway.graph.origin import SHARED
from headway.graph.quantised import WEIGHT_LIMIT, quantise_rows
from headway.graph.shared import TABLE, shared_tensors


@dataclass(frozen=True, eq=False)
class Part:
    """What a folder holds for its siblings: a file with tensors, and where in it each stands, (first byte, past the last)."""

    path: Path
    sibling: Sibling
    tensors: Mapping[str, np.ndarray]
    places: Mapping[str, tuple[int, int]]


def table_tensors(table: np.ndarray, *, precision: str, limit: int = WEIGHT_LIMIT) -> dict[str, np.ndarray]:
    """The token table as graphs of a precision hold it, by name."""
    values = (table,) if precision == "fp32" else quantise_rows(table, limit=limit)
    return dict(zip(TABLE, values, strict=False))


def find_part(share: str | Path, *, output: str | Path, precision: str) -> Part:
    """What the folder ``share`` holds for a model in ``output``; it has to stand beside it, and to have been made for sharing."""
    folder, place = Path(os.path.abspath(share)), Path(os.path.abspath(output))
    if folder.parent != beside(place) or folder == place or not is_plain(folder.name):
        raise ConfigError(
            f"{share} is not a folder beside {output}, but a model finds what it shares by the plain name of a folder beside its "
            f"own. Write the model to {folder.parent / place.name}, or make the shared part beside {output}."
        )
    path = Path(share) / TENSORS[precision]
    if not path.is_file():
        raise CheckpointError(
            f"{share} has no {path.name}, so there is nothing to share in {precision}. Make it from the encoder that the models "
            f"were trained from: headway export ENCODER --output {share} --shared-part --precision {precision}"
        )
    tensors = {name: tensor.as_stored() for name, tensor in read_safetensors(path).items()}
    return Part(path, Sibling(folder.name, path.name, content_hash(path)), tensors, data_places(path))


def split(model: bytes, part: Part, *, source: Path) -> bytes:
    """The graph without the part's tensors, which have to be its own bit for bit; ``source`` is the model, for messages."""
    graph = onnx.ModelProto.FromString(model)
    constants = {constant.name: constant for constant in graph.graph.initializer}
    for name, values in sorted(part.tensors.items()):
        if name not in constants:
            raise WeightError(f"{source} has no {name}, which {part.path} has: they are models of different kinds. {REMEDY}")
        _check_equal(name, numpy_helper.to_array(constants[name]), values, part=part, source=source)
        _leave_out(constants[name], part)
    note = graph.metadata_props.add()
    note.key, note.value = SHARED, json.dumps({**asdict(part.sibling), "tensors": sorted(part.tensors)})
    return bytes(graph.SerializeToString())


def whole(path: Path) -> bytes:
    """The graph in a file with all that it shares in it; a graph that shares nothing as it is."""
    tensors = shared_tensors(path)
    if not tensors:
        return path.read_bytes()
    model = onnx.load_model(path, load_external_data=False)
    for constant in model.graph.initializer:
        if constant.name in tensors:
            constant.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(tensors[constant.name]), constant.name))
    kept = [note for note in model.metadata_props if note.key != SHARED]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    return bytes(model.SerializeToString())


REMEDY = (
    "What models share has to stay as it was: train all of them from one encoder with --freeze embeddings, make the shared part "
    "of that encoder, and export everything with the same --reduce-range. Or export without --share."
)


def _check_equal(name: str, own: np.ndarray, shared: np.ndarray, *, part: Part, source: Path) -> None:
    if own.dtype == shared.dtype and own.shape == shared.shape:
        bits = f"u{own.itemsize}"
        different = int(np.count_nonzero(own.view(bits) != shared.view(bits)))
        if not different:
            return
        what = f"{different:,} of its {own.size:,} numbers are others"
    else:
        what = f"it is {own.dtype} {own.shape}, the shared one {shared.dtype} {shared.shape}"
    raise WeightError(f"{name} of {source} is not the one in {part.path}: {what}. Nothing was written. {REMEDY}")


def _leave_out(constant: TensorProto, part: Part) -> None:
    """Have the file say where the numbers are, instead of holding them."""
    start, stop = part.places[constant.name]
    constant.ClearField("raw_data")
    constant.data_location = TensorProto.EXTERNAL
    for key, value in {"location": part.path.name, "offset": start, "length": stop - start}.items():
        entry = constant.external_data.add()
        entry.key, entry.value = key, str(value)
