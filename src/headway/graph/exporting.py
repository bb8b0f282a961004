"""A model folder with weights to a folder that ONNX Runtime runs: written, checked against its weights, and only then named."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from headway.architecture import ModelConfig
from headway.architecture.family import HeadName
from headway.checkpoints import Checkpoint, load_checkpoint, locate, weights_hash
from headway.core.updates import atomic_update
from headway.errors import CheckpointError
from headway.graph.building import build_graph
from headway.graph.calibration import calibration_sequences
from headway.graph.origin import CONFIG, HEAD, TOKENIZER, WEIGHTS, is_current, is_ours
from headway.graph.parity import INT8_LIMIT, check_fp32, check_int8
from headway.text import Tokenizer, check_tokenizer, with_note

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

    ``removed`` are older graphs of ours in the folder that were written from other weights, or with another head.
    """

    path: Path
    size: int
    head: HeadName
    precision: str
    difference: float
    removed: tuple[Path, ...] = ()


def export_model(
    name_or_path: str | Path,
    output: str | Path,
    *,
    precision: str = "int8",
    head: HeadName | None = None,
    calibration: Sequence[str] = (),
    max_difference: float = INT8_LIMIT,
    reduce_range: bool = False,
    portable: bool = False,
    progress: bool = False,
    **place: Any,
) -> Exported:
    """Write a model as ONNX with its config and tokenizer, into a folder that ``pipeline`` loads.

    The fp32 graph has to agree with NumPy; an INT8 graph has to be near the fp32 graph on the ``calibration`` texts, by default
    English sentences of many kinds. Where they do not, it is an ``EngineError`` and the folder stays as it was. ``portable``
    files have the standard's operators alone and stand where other runtimes look for them. Graphs that were exported there
    before from other weights go; a folder that holds another model's weights is refused. ``place`` says where to find the model:
    ``revision``, ``token``, ``local_files_only``, ``cache_dir``.
    """
    steps = _Steps(shown=progress, count=4 if precision == "int8" else 3)
    with steps.named("reading"):
        folder = locate(name_or_path, **place)
        weights = _weights(folder, Path(output))  # before they are read: of files replaced meanwhile, the graph is out of date
        checkpoint = load_checkpoint(folder, head=head)
        checkpoint.require_complete()
        tokenizer = Tokenizer.from_pretrained(checkpoint.folder)
        check_tokenizer(tokenizer, checkpoint.config, model=checkpoint.folder)
        config = _config(checkpoint, tokenizer)
        notes = _notes(checkpoint, config, tokenizer, weights)
        texts = calibration_sequences(tokenizer, calibration)
    with steps.named("checking fp32"):
        exact = _built(checkpoint, notes, portable=portable)
        model, difference = exact, check_fp32(exact, checkpoint.architecture, checkpoint.weights, texts=texts)
    if precision != "fp32":
        with steps.named("calibrating INT8"):
            how: dict[str, Any] = {"precision": precision, "calibration": texts, "reduce_range": reduce_range}
            model = _built(checkpoint, notes, portable=portable, **how)
            difference = check_int8(model, exact, texts=texts, limit=max_difference)
    with steps.named("writing"):
        name = (PORTABLE_NAMES if portable else FILE_NAMES)[precision]
        old = _outdated(Path(output), config, checkpoint.head, weights)
        with atomic_update(output, replaces=old) as draft:
            (draft / name).parent.mkdir(exist_ok=True)
            (draft / name).write_bytes(model)
            _write_beside(draft, config, tokenizer, source=checkpoint.folder)
    return Exported(
        path=Path(output) / name,
        size=len(model),
        head=checkpoint.head,
        precision=precision,
        difference=difference,
        removed=tuple(Path(output) / file for file in old if file != name),
    )


def _weights(source: Path, output: Path) -> str:
    """The hash of the weights to export; an error where others stand in the folder to write to, and would win over the graph."""
    weights = weights_hash(source) or ""
    if weights_hash(output) not in (None, weights):
        raise CheckpointError(
            f"{output} holds the weights of another model than {source}: they and the exported graph would contradict each "
            "other, and both share one config.json. Export to a folder of its own, or remove the weights there."
        )
    return weights


def _outdated(folder: Path, config: Mapping[str, Any], head: HeadName, weights: str) -> list[str]:
    """The graphs of ours in a folder that will not belong to what is written there now."""
    names = (name for form in (FILE_NAMES, PORTABLE_NAMES) for name in form.values() if is_ours(folder / name))
    return [name for name in names if not is_current(folder / name, ModelConfig(config), head=head, weights=weights)]


def _notes(checkpoint: Checkpoint, config: Mapping[str, Any], tokenizer: Tokenizer, weights: str) -> dict[str, str]:
    """What the file says of itself, for whoever has to know whether it is still what its folder holds."""
    return {HEAD: checkpoint.head, CONFIG: json.dumps(config), TOKENIZER: tokenizer.fingerprint, WEIGHTS: weights}


def _built(checkpoint: Checkpoint, notes: Mapping[str, str], **options: Any) -> bytes:
    return bytes(build_graph(checkpoint.architecture, checkpoint.weights, metadata=notes, **options).SerializeToString())


def _config(checkpoint: Checkpoint, tokenizer: Tokenizer) -> dict[str, Any]:
    """The configuration, naming the head that the graph has, and its tokenizer."""
    config = checkpoint.config.replace(architectures=[checkpoint.family.class_names[checkpoint.head]])
    return with_note(config, tokenizer).to_dict()


def _write_beside(draft: Path, config: Mapping[str, Any], tokenizer: Tokenizer, *, source: Path) -> None:
    """What a runtime reads beside the graph; of sentence-transformers' files those that say how vectors are pooled."""
    (draft / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(draft)
    for file in (found for pattern in SIDE_FILES for found in source.glob(pattern)):
        place = draft / file.relative_to(source)
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, place)


class _Steps:
    """A progress bar over named steps; silent where nobody looks on."""

    def __init__(self, *, shown: bool, count: int) -> None:
        self.bar = tqdm(total=count, disable=None if shown else True, leave=False, bar_format="{desc} {bar} {n_fmt}/{total_fmt}")

    @contextmanager
    def named(self, step: str) -> Iterator[None]:
        """One step; the bar vanishes with the last, or with an error."""
        self.bar.set_description(step)
        try:
            yield
        except BaseException:
            self.bar.close()
            raise
        self.bar.update()
        if self.bar.n == self.bar.total:
            self.bar.close()
