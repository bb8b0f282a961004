"""What several models have in common, written to a folder of its own: their token table and their tokenizer."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from headway.checkpoints import locate
from headway.checkpoints.siblings import TENSORS
from headway.core.updates import atomic_update
from headway.graph.exporting import known_precision, noted_config, read_model
from headway.graph.quantised import weight_limit
from headway.graph.shared import TABLE
from headway.graph.splitting import table_tensors


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What was written for models to share: the file, its size in bytes, and the names of the tensors in it."""

    path: Path
    size: int
    tensors: tuple[str, ...]


def export_shared(
    name_or_path: str | Path, output: str | Path, *, precision: str = "int8", reduce_range: bool = False, **place: Any
) -> Shared:
    """Write what those models have in common that are trained from this encoder with its embeddings frozen.

    That is the token table, as the graphs of a precision hold it, and the tokenizer. ``export_model(…, share=output)`` then
    leaves both out of folders that stand beside ``output``. ``place`` is as for ``export_model``.
    """
    path = Path(output) / TENSORS[known_precision(precision)]
    checkpoint, tokenizer = read_model(locate(name_or_path, **place))
    limit = weight_limit(reduce_range=reduce_range)
    tensors = table_tensors(checkpoint.weights[TABLE[0]], precision=precision, limit=limit)
    with atomic_update(output) as draft:
        (draft / path.name).write_bytes(save({name: np.ascontiguousarray(values) for name, values in tensors.items()}))
        (draft / "config.json").write_text(json.dumps(noted_config(checkpoint, tokenizer), indent=2) + "\n", encoding="utf-8")
        tokenizer.save_pretrained(draft)
    return Shared(path=path, size=path.stat().st_size, tensors=tuple(tensors))
