"""The files of a model's folder, and how its weight files are found and listed."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from headway.architecture import ModelConfig
from headway.checkpoints.pickled import read_pickled
from headway.checkpoints.tensors import StoredTensor, read_safetensors
from headway.core.hashes import content_hash
from headway.errors import CheckpointError, WeightError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARDS = "model-*-of-*.safetensors"
PICKLED = "pytorch_model.bin"
PICKLED_INDEX = "pytorch_model.bin.index.json"
PICKLED_SHARDS = "pytorch_model-*-of-*.bin"
GRAPHS = ("model.onnx", "model_int8.onnx")
GRAPHS_OF_ALL = "onnx/model*.onnx"
WEIGHT_FORMS = (WEIGHTS, INDEX, SHARDS, PICKLED, PICKLED_INDEX, PICKLED_SHARDS, *GRAPHS, GRAPHS_OF_ALL)
"""All the files that one model's weights may stand in: new weights in one form make those in the others stale."""

OTHERS = ("tf_model.h5", "flax_model.msgpack", "model.ckpt.index")


def read_config(folder: Path) -> ModelConfig:
    """The configuration in a model's folder."""
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(
            f"{folder} has no {CONFIG}, so it is not a model's folder or not all of one. "
            "Give the folder that save_pretrained wrote, or download the model again."
        )
    return ModelConfig.from_json_file(path)


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of the model by its name on disk, none of them read yet; safetensors come before pickles."""
    for whole, index, read in ((WEIGHTS, INDEX, read_safetensors), (PICKLED, PICKLED_INDEX, read_pickled)):
        if (folder / whole).is_file():
            return read(folder / whole)
        if (folder / index).is_file():
            return _sharded(folder, index, read)
    raise _no_weights(folder)


def weight_files(folder: Path) -> list[Path]:
    """The files that ``stored_tensors`` would read, the index of shards among them; empty where there are none."""
    for whole, index in ((WEIGHTS, INDEX), (PICKLED, PICKLED_INDEX)):
        if (folder / whole).is_file():
            return [folder / whole]
        if (folder / index).is_file():
            return [folder / index, *(folder / name for name in sorted(set(_weight_map(folder / index).values())))]
    return []


def weights_hash(folder: Path) -> str | None:
    """SHA-256 in hex of the files that hold the weights, whatever they are called; None where not all of them are there.

    It is of every byte: a number that was changed is seen. A file is read once and its hash remembered (``core.hashes``).
    """
    files = weight_files(folder)
    if not files or not all(file.is_file() for file in files):
        return None
    return hashlib.sha256("\n".join(content_hash(file) for file in files).encode()).hexdigest()


def _sharded(folder: Path, index: str, read: Callable[[Path], dict[str, StoredTensor]]) -> dict[str, StoredTensor]:
    places = _weight_map(folder / index)
    shards = {}
    for name in sorted(set(places.values())):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} has no {name}, though {index} names it: weights would be missing. Download or save the model again."
            )
        shards[name] = read(folder / name)
    for weight, name in places.items():
        if weight not in shards[name]:
            raise WeightError(
                f"{index} says that {weight} is in {name}, but it is not there in {folder}. Download or save the model again."
            )
    return {weight: shards[name][weight] for weight, name in places.items()}


def _weight_map(path: Path) -> dict[str, str]:
    try:
        places = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        plain = all(isinstance(name, str) and Path(name).name == name for name in places.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not an index of weight files ({error!r}). Download or save the model again.") from error
    if not plain:
        raise CheckpointError(
            f"{path} names weight files outside its own folder, which is refused. Download the model from its origin again."
        )
    return dict(places)


def _no_weights(folder: Path) -> CheckpointError:
    others = [name for name in OTHERS if (folder / name).is_file()]
    found = f"{WEIGHTS}, {INDEX}, {PICKLED} or {PICKLED_INDEX}"
    if "snapshots" in folder.parts:
        return CheckpointError(
            f"{folder} has no {found}: either the repository has none, or this cache has only part of it. "
            "Load the model once with the network on, or pick a revision that has weights."
        )
    if others:
        return CheckpointError(
            f"{folder} has no {found}, only {', '.join(others)}, which is for another library. Convert it once with "
            "transformers 4: AutoModel.from_pretrained(folder, from_tf=True or from_flax=True).save_pretrained(folder), "
            "with the AutoModel class of the head."
        )
    if graphs := [name for name in GRAPHS if (folder / name).is_file()]:
        return CheckpointError(
            f"{folder} holds {' and '.join(graphs)} and no weights, as the models that ship with Headway and those of "
            "'headway export' do: such a graph answers, but nothing can be trained from it or taught by its states. Give the "
            f"model that it was exported from, or another folder or Hub repository with weights ({found}), such as "
            "sentence-transformers/all-MiniLM-L6-v2."
        )
    return CheckpointError(
        f"{folder} has no {found}, so there are no weights to load. Give the folder that save_pretrained wrote, "
        "or download the model again."
    )
