"""The folder of a model that runs without its weights: graph, configuration, tokenizer, all written together or not at all."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headway.architecture import ModelConfig
from headway.architecture.family import HeadName
from headway.checkpoints import weight_files, weights_hash
from headway.checkpoints.siblings import NOTE, TOKENIZER, Sibling
from headway.core.hashes import content_hash
from headway.core.updates import atomic_update
from headway.errors import CheckpointError
from headway.graph.origin import is_current, is_ours
from headway.graph.splitting import Part
from headway.text import Tokenizer

FILE_NAMES = {"fp32": "model.onnx", "int8": "model_int8.onnx"}
PORTABLE_NAMES = {"fp32": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"}
"""Where optimum, sentence-transformers and transformers.js look; docs/onnx.md."""

SIDE_FILES = (
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "[0-9]*_*/config.json",
    "[0-9]*_*/model.safetensors",
    "[0-9]*_*/pytorch_model.bin",
)


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written: the ONNX file, its size in bytes, its head, and how far its answers are from the reference.

    ``difference`` is None where a finished graph was taken as it was. ``shared`` is the file beside the folder that has the rest
    of it. ``removed`` are older graphs of ours in the folder that were written from other weights, or with another head.
    """

    path: Path
    size: int
    head: HeadName
    precision: str
    difference: float | None
    shared: Path | None = None
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A graph that was found right, and what goes beside it; ``weights`` is the hash of those that it was written from."""

    graph: bytes
    head: HeadName
    precision: str
    weights: str
    config: Mapping[str, Any]
    tokenizer: Tokenizer
    source: Path
    difference: float | None


def write_pack(pack: Pack, output: Path, *, name: str, part: Part | None = None) -> Exported:
    """Write all of it into a folder, the graph as ``name``; graphs of ours there that do not belong to it go."""
    old = outdated(output, pack.config, head=pack.head, weights=pack.weights)
    with atomic_update(output, replaces=(*old, TOKENIZER)) as draft:
        (draft / name).parent.mkdir(exist_ok=True)
        (draft / name).write_bytes(pack.graph)
        pack.tokenizer.save_pretrained(draft)
        config = dict(pack.config)
        if part is not None and not weight_files(output):  # whoever reads the weights looks for the tokenizer beside them
            config |= _share_tokenizer(draft, part)
        (draft / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        _copy_side_files(pack.source, draft)
    return Exported(
        path=output / name,
        size=len(pack.graph),
        head=pack.head,
        precision=pack.precision,
        difference=pack.difference,
        shared=None if part is None else part.path,
        removed=tuple(output / file for file in old if file != name),
    )


def check_output(output: Path, weights: str, *, source: Path) -> None:
    """Refuse a folder with weights that the graph was not written from, and that would win over it."""
    if weights_hash(output) not in (None, weights):
        raise CheckpointError(
            f"{output} holds the weights of another model than {source}: they and the exported graph would contradict each "
            "other, and both share one config.json. Export to a folder of its own, or remove the weights there."
        )


def outdated(folder: Path, config: Mapping[str, Any], *, head: HeadName, weights: str) -> list[str]:
    """The graphs of ours in a folder that will not belong to what is written there now."""
    names = (name for form in (FILE_NAMES, PORTABLE_NAMES) for name in form.values() if is_ours(folder / name))
    return [name for name in names if not is_current(folder / name, ModelConfig(config), head=head, weights=weights)]


def _share_tokenizer(draft: Path, part: Part) -> dict[str, Any]:
    """Leave the tokenizer to the sibling where it has the same, and give the note that says so."""
    own, shared = draft / TOKENIZER, part.path.with_name(TOKENIZER)
    if not shared.is_file() or own.read_bytes() != shared.read_bytes():
        return {}
    own.unlink()
    return {NOTE: asdict(Sibling(part.sibling.folder, TOKENIZER, content_hash(shared)))}


def _copy_side_files(source: Path, draft: Path) -> None:
    """Of sentence-transformers' files those that say how vectors are pooled."""
    for file in (found for pattern in SIDE_FILES for found in source.glob(pattern)):
        place = draft / file.relative_to(source)
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, place)
