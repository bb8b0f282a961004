"""The files of a model's folder, and how its weight files are found and listed."""

import json
from pathlib import Path

from headway.architecture import ModelConfig
from headway.checkpoints.tensors import StoredTensor, read_safetensors
from headway.errors import CheckpointError, WeightError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")


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
    """Every tensor of the model by its name on disk, none of them read yet."""
    if (folder / WEIGHTS).is_file():
        return read_safetensors(folder / WEIGHTS)
    if (folder / INDEX).is_file():
        return _sharded(folder)
    raise _no_weights(folder)


def _sharded(folder: Path) -> dict[str, StoredTensor]:
    places = _weight_map(folder / INDEX)
    shards = {}
    for name in sorted(set(places.values())):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} has no {name}, though {INDEX} names it: weights would be missing. Download or save the model again."
            )
        shards[name] = read_safetensors(folder / name)
    for weight, name in places.items():
        if weight not in shards[name]:
            raise WeightError(
                f"{INDEX} says that {weight} is in {name}, but it is not there in {folder}. Download or save the model again."
            )
    return {weight: shards[name][weight] for weight, name in places.items()}


def _weight_map(path: Path) -> dict[str, str]:
    try:
        places = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        plain = all(isinstance(name, str) and Path(name).name == name for name in places.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is not an index of weight files ({error!r}). Download or save the model again.") from error
    if not plain:
        raise CheckpointError(
            f"{path} names weight files outside its own folder, which is refused. Download the model from its origin again."
        )
    return dict(places)


def _no_weights(folder: Path) -> CheckpointError:
    pickled = [name for name in PICKLED if (folder / name).is_file()]
    if "snapshots" in folder.parts:
        found = f"no {WEIGHTS}: either the repository has none, or this cache has only part of it; load it with the network on"
    elif pickled:
        found = f"only {pickled[0]}, a pickle, which can run any code when it is read"
    else:
        found = f"no {WEIGHTS} and no {INDEX}"
    return CheckpointError(
        f"{folder} has {found}. Headway reads safetensors; a restricted reader for pickled weights is not there yet. "
        "Convert them once with transformers: AutoModel.from_pretrained(folder).save_pretrained(folder), "
        f"with the AutoModel class of the head, or pick a revision that has {WEIGHTS}."
    )
