"""Sentence vectors: a student's made those of its teacher. Texts are the unit, so the two may have different tokenizers.

Reimers and Gurevych, 2020, arXiv:2004.09813: the student's vector of a text is drawn to the teacher's. Where their widths differ,
a linear map is learnt with the student, and stays with it as a dense layer, so that its vectors live where the teacher's do.

Shapes: B texts, D the student's width, V the teacher's vectors'.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from headway.compress.answers import Answers
from headway.compress.widths import mapped
from headway.core.batching import TokenSequence
from headway.core.updates import atomic_update
from headway.errors import TaskError
from headway.inference import pipeline
from headway.neural.heads import mean_of_texts
from headway.neural.model import EncoderModel
from headway.neural.packing import Packed, pack
from headway.settings.distillation import DistillSettings
from headway.tasks import ModelFacts
from headway.tasks import task as find_task
from headway.tasks.sentence_modules import UnitLength
from headway.tasks.sentence_transformer import SideFiles
from headway.tasks.vectors import Embedder, prepare_embedder
from headway.text import Tokenizer
from headway.training.batch import Batch

MAP = "vectors"
POOLED: Mapping[str, Callable[[Tensor, Packed], Tensor]] = {
    "mean": mean_of_texts,
    "cls": lambda states_TD, packed: states_TD[packed.first_B],
}
"""The poolings that a student can learn with."""
MODULES = "sentence_transformers.models"


@dataclass(frozen=True, kw_only=True)
class VectorLesson(Batch):
    """Texts, each a target, and the teacher's vector of each, (texts, width), in packed order."""

    taught_BV: Tensor


@dataclass(frozen=True)
class VectorLoss:
    """How far the student's vectors are from the teacher's."""

    settings: DistillSettings
    pooling: str
    normalises: bool

    def __call__(self, model: EncoderModel, batch: Batch) -> Tensor:
        """The loss, summed over texts: the mean squared difference, or one minus the cosine."""
        assert isinstance(batch, VectorLesson)
        found_BV = self.vectors(model, batch.packed)
        if self.settings.vector_loss == "cosine":
            return (1 - F.cosine_similarity(found_BV, batch.taught_BV, dim=-1)).sum()
        return (found_BV - batch.taught_BV).square().mean(-1).sum()

    def vectors(self, model: EncoderModel, packed: Packed) -> Tensor:
        """The student's vectors, as wide as the teacher's, (texts, width), in packed order."""
        pooled_BD = POOLED[self.pooling](model.encode(packed), packed)
        found_BV = mapped(model, MAP, pooled_BD).float()
        return F.normalize(found_BV, dim=-1) if self.normalises else found_BV


def embedder(folder: Path, tokenizer: Tokenizer, model: EncoderModel, *, max_length: int | None) -> Embedder:
    """What reads texts for a model as its folder's sentence-transformers files say."""
    options = find_task("sentence-embeddings").choose({} if max_length is None else {"max_length": max_length})
    return prepare_embedder(ModelFacts(tokenizer=tokenizer, config=model.config, folder=folder), options)  # type: ignore[arg-type]


def pooling_of(side: SideFiles, folder: Path) -> str:
    """The student's pooling; one that it cannot learn with is a ``TaskError``."""
    if len(side.pooling) != 1 or side.pooling[0] not in POOLED:
        raise TaskError(
            f"{folder} pools by {', '.join(side.pooling)}, but a student learns sentence vectors with {' or '.join(POOLED)} "
            "here. Give a student of its own with --student."
        )
    return side.pooling[0]


def teacher_vectors(folder: Path, texts: Sequence[str], *, max_length: int | None) -> list[np.ndarray]:
    """The teacher's vector of each text, (1, width), by the same pipeline that users have."""
    limit: dict[str, Any] = {} if max_length is None else {"max_length": max_length}
    ready = pipeline("sentence-embeddings", folder, precision="fp32", **limit)
    return [np.asarray(found.answer, dtype=np.float32).reshape(1, -1) for found in ready.stream(list(texts))]


def vector_lesson(
    sequences: Sequence[TokenSequence], numbers: Sequence[int], answers: Answers, device: torch.device
) -> VectorLesson:
    """The texts of these numbers with their teacher's vectors."""
    packed = pack(sequences, device=device)
    rows = np.concatenate([np.asarray(answers.of(numbers[index])) for index in packed.order_B.tolist()])
    return VectorLesson(packed, packed.first_B, packed.order_B, taught_BV=torch.from_numpy(rows).to(device))


def ends_in_unit_length(side: SideFiles) -> bool:
    """Whether vectors are scaled to length 1 at the end."""
    return bool(side.steps) and isinstance(side.steps[-1], UnitLength)


def write_side_files(
    folder: Path, side: SideFiles, *, pooling: str, learnt: np.ndarray | None, normalises: bool, width: int
) -> None:
    """Write what makes a folder one of sentence-transformers: the pooling, the learnt map, and the length of the vectors."""
    from safetensors.numpy import save_file

    names = ["Transformer", "Pooling", *(["Dense"] if learnt is not None else []), *(["Normalize"] if normalises else [])]
    places = ["" if not at else f"{at}_{name}" for at, name in enumerate(names)]
    with atomic_update(folder) as draft:
        modules = [
            {"idx": at, "name": str(at), "path": place, "type": f"{MODULES}.{name}"}
            for at, (name, place) in enumerate(zip(names, places, strict=True))
        ]
        _write(draft / "modules.json", modules)
        _write(draft / "sentence_bert_config.json", {"max_seq_length": side.max_length, "do_lower_case": side.lowercase})
        _write(draft / "config_sentence_transformers.json", {"prompts": dict(side.prompts), "similarity_fn_name": "cosine"})
        modes = {f"pooling_mode_{name}": name.startswith(pooling) for name in ("cls_token", "mean_tokens", "max_tokens")}
        _write(
            draft / "1_Pooling" / "config.json",
            {"word_embedding_dimension": width, **modes, "include_prompt": side.include_prompt},
        )
        if learnt is not None:
            sizes = {"in_features": learnt.shape[1], "out_features": learnt.shape[0], "bias": False}
            _write(draft / "2_Dense" / "config.json", {**sizes, "activation_function": "torch.nn.modules.linear.Identity"})
            save_file({"linear.weight": np.ascontiguousarray(learnt)}, draft / "2_Dense" / "model.safetensors")
        if normalises:
            _write(draft / places[-1] / "config.json", {})


def _write(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
