"""A model folder with weights to a folder that ONNX Runtime runs: written, checked against its weights, and only then named."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from headway.architecture.family import HeadName
from headway.checkpoints import Checkpoint, load_checkpoint, locate, weights_hash
from headway.errors import ConfigError
from headway.graph.building import build_graph
from headway.graph.calibration import calibration_sequences
from headway.graph.origin import CONFIG, HEAD, TOKENIZER, WEIGHTS
from headway.graph.packing import FILE_NAMES, PORTABLE_NAMES, Exported, Pack, check_output, write_pack
from headway.graph.parity import INT8_LIMIT, check_fp32, check_int8, split_checked
from headway.graph.repacking import is_finished, repack
from headway.graph.splitting import find_part
from headway.text import Tokenizer, check_tokenizer, with_note


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
    share: str | Path | None = None,
    progress: bool = False,
    **place: Any,
) -> Exported:
    """Write a model as ONNX with its config and tokenizer, into a folder that ``pipeline`` loads.

    The fp32 graph has to agree with NumPy; an INT8 graph has to be near the fp32 graph on the ``calibration`` texts, by default
    English sentences of many kinds. Where they do not, it is an ``EngineError`` and the folder stays as it was. ``portable``
    files have the standard's operators alone and stand where other runtimes look for them. Graphs that were exported there
    before from other weights go; a folder that holds another model's weights is refused.

    ``share`` is a folder beside the output that ``export_shared`` made: the token table and the tokenizer stay there, and have to
    be the model's own, bit for bit. A model without weights, whose graph is finished, is written as it is: whole, or without what
    it shares. ``place`` says where to find the model: ``revision``, ``token``, ``local_files_only``, ``cache_dir``.
    """
    name = _file_name(precision, portable=portable, share=share)
    part = None if share is None else find_part(share, output=output, precision=precision)
    folder = locate(name_or_path, **place)
    if is_finished(folder, name):
        changes = {"head": head, "calibration": calibration, "reduce_range": reduce_range}
        return repack(folder, Path(output), name=name, precision=precision, part=part, changes=changes)
    steps = _Steps(shown=progress, count=4 if precision == "int8" else 3)
    with steps.named("reading"):
        weights = weights_hash(folder) or ""  # before they are read: of files replaced meanwhile, the graph is out of date
        check_output(Path(output), weights, source=folder)
        checkpoint, tokenizer = read_model(folder, head=head)
        config = noted_config(checkpoint, tokenizer)
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
        pack = Pack(
            graph=model if part is None else split_checked(model, part, source=folder, texts=texts),
            head=checkpoint.head,
            precision=precision,
            weights=weights,
            config=config,
            tokenizer=tokenizer,
            source=folder,
            difference=difference,
        )
        return write_pack(pack, Path(output), name=name, part=part)


def _file_name(precision: str, *, portable: bool, share: str | Path | None) -> str:
    """What the graph is called in its folder."""
    if share is not None and portable:
        raise ConfigError(
            "share is for Headway's own form alone: other runtimes do not look beside the folder. Leave out portable, or share."
        )
    return (PORTABLE_NAMES if portable else FILE_NAMES)[known_precision(precision)]


def known_precision(precision: str) -> str:
    """The precision, if it is one."""
    if precision not in FILE_NAMES:
        raise ConfigError(f"precision is {precision!r}, but a graph is written in {' or '.join(FILE_NAMES)}. Choose one of them.")
    return precision


def read_model(folder: Path, *, head: HeadName | None = None) -> tuple[Checkpoint, Tokenizer]:
    """A whole model, and the tokenizer that belongs to it."""
    checkpoint = load_checkpoint(folder, head=head)
    checkpoint.require_complete()
    tokenizer = Tokenizer.from_pretrained(checkpoint.folder)
    check_tokenizer(tokenizer, checkpoint.config, model=checkpoint.folder)
    return checkpoint, tokenizer


def _notes(checkpoint: Checkpoint, config: Mapping[str, Any], tokenizer: Tokenizer, weights: str) -> dict[str, str]:
    """What the file says of itself, for whoever has to know whether it is still what its folder holds."""
    return {HEAD: checkpoint.head, CONFIG: json.dumps(config), TOKENIZER: tokenizer.fingerprint, WEIGHTS: weights}


def _built(checkpoint: Checkpoint, notes: Mapping[str, str], **options: Any) -> bytes:
    return bytes(build_graph(checkpoint.architecture, checkpoint.weights, metadata=notes, **options).SerializeToString())


def noted_config(checkpoint: Checkpoint, tokenizer: Tokenizer) -> dict[str, Any]:
    """The configuration, naming the head that the graph has, and its tokenizer."""
    config = checkpoint.config.replace(architectures=[checkpoint.family.class_names[checkpoint.head]])
    return with_note(config, tokenizer).to_dict()


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
