"""What makes a folder one of sentence-transformers, written beside the model: pooling, what follows it, prompts and lengths."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from headway.core.updates import atomic_update
from headway.tasks.numbers import identity, sigmoid
from headway.tasks.sentence_modules import Dense, LayerNorm, Step, UnitLength, gelu, relu, silu
from headway.tasks.sentence_transformer import OLD_NAMES, SideFiles

MODULES = "sentence_transformers.models"
CLASSES = {
    np.tanh: "torch.nn.modules.activation.Tanh",
    identity: "torch.nn.modules.linear.Identity",
    relu: "torch.nn.modules.activation.ReLU",
    gelu: "torch.nn.modules.activation.GELU",
    sigmoid: "torch.nn.modules.activation.Sigmoid",
    silu: "torch.nn.modules.activation.SiLU",
}
"""The class of torch that each activation is."""


def write_side_files(folder: Path, side: SideFiles, *, width: int) -> None:
    """Write the files that ``read_side_files`` reads; ``width`` is that of the pooled vector."""
    names = ["Transformer", "Pooling", *map(_kind, side.steps)]
    places = ["" if not at else f"{at}_{name}" for at, name in enumerate(names)]
    modules = [
        {"idx": at, "name": str(at), "path": place, "type": f"{MODULES}.{name}"}
        for at, (name, place) in enumerate(zip(names, places, strict=True))
    ]
    default = next((name for name, text in side.prompts.items() if text and text == side.default_prompt), None)
    said = {
        "prompts": dict(side.prompts),
        "default_prompt_name": default,
        "similarity_fn_name": side.similarity or "cosine",
        **({} if side.truncate_dim is None else {"truncate_dim": side.truncate_dim}),
    }
    with atomic_update(folder) as draft:
        _write(draft / "modules.json", modules)
        _write(draft / "sentence_bert_config.json", {"max_seq_length": side.max_length, "do_lower_case": side.lowercase})
        _write(draft / "config_sentence_transformers.json", said)
        _write(draft / "1_Pooling" / "config.json", _pooling(side, width))
        for place, step in zip(places[2:], side.steps, strict=True):
            _write_step(draft / place, step)


def _pooling(side: SideFiles, width: int) -> dict[str, Any]:
    modes = {name: pooling in side.pooling for name, pooling in OLD_NAMES.items()}
    return {"word_embedding_dimension": width, **modes, "include_prompt": side.include_prompt}


def _kind(step: Step) -> str:
    return "Normalize" if isinstance(step, UnitLength) else type(step).__name__


def _write_step(folder: Path, step: Step) -> None:
    from safetensors.numpy import save_file

    match step:
        case Dense(weight, bias, activation):
            sizes = {"in_features": weight.shape[1], "out_features": weight.shape[0], "bias": bias is not None}
            _write(folder / "config.json", {**sizes, "activation_function": CLASSES[activation]})
            arrays = {"linear.weight": weight} | ({} if bias is None else {"linear.bias": bias})
        case LayerNorm(weight, bias):
            _write(folder / "config.json", {"dimension": len(weight)})
            arrays = {"norm.weight": weight, "norm.bias": bias}
        case _:
            _write(folder / "config.json", {})
            return
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "model.safetensors")


def _write(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
