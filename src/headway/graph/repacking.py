"""A graph that is finished, in a folder without weights, written to another folder: whole, or without what it shares there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from headway.architecture.family import HeadName
from headway.checkpoints import load_config, weight_files
from headway.checkpoints.siblings import NOTE
from headway.core.updates import undisturbed
from headway.errors import ConfigError
from headway.graph.calibration import calibration_sequences
from headway.graph.origin import HEAD, WEIGHTS, is_ours, notes
from headway.graph.packing import Exported, Pack, check_output, write_pack
from headway.graph.parity import split_checked
from headway.graph.splitting import Part, whole
from headway.text import Tokenizer


def is_finished(folder: Path, name: str) -> bool:
    """Whether a folder has no weights to write a graph from, but a graph of ours that is there already."""
    return not weight_files(folder) and is_ours(folder / name)


def repack(folder: Path, output: Path, *, name: str, precision: str, part: Part | None, changes: Mapping[str, Any]) -> Exported:
    """Write the folder's graph to another one, its numbers unchanged; ``changes`` that were asked for are refused."""
    with undisturbed(folder):
        config, found = load_config(folder), notes(folder / name)
        _refuse(folder, changes, head=found.get(HEAD))
        graph, tokenizer = whole(folder / name), Tokenizer.from_pretrained(folder)
    check_output(output, found.get(WEIGHTS, ""), source=folder)
    if part is not None:
        graph = split_checked(graph, part, source=folder, texts=calibration_sequences(tokenizer))
    pack = Pack(
        graph=graph,
        head=cast(HeadName, found.get(HEAD, "base")),
        precision=precision,
        weights=found.get(WEIGHTS, ""),
        config={key: value for key, value in config.to_dict().items() if key != NOTE},
        tokenizer=tokenizer,
        source=folder,
        difference=None,
    )
    return write_pack(pack, output, name=name, part=part)


def _refuse(folder: Path, changes: Mapping[str, Any], *, head: str | None) -> None:
    asked = [said for said, value in changes.items() if value and not (said == "head" and value == head)]
    if asked:
        raise ConfigError(
            f"{folder} holds a finished graph and no weights, so it is written as it is, and {', '.join(asked)} can change "
            "nothing. Leave that out, or export the model that the graph was made from."
        )
