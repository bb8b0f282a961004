"""Sentence vectors: a student's made those of its teacher. Texts are the unit, so the two may have different tokenizers.

Reimers and Gurevych, 2020, arXiv:2004.09813: the student's vector of a text is drawn to the teacher's. Where their widths differ,
a linear map is learnt with the student, and stays with it as a dense layer, so that its vectors live where the teacher's do.

Shapes: B texts, D the student's width, V the teacher's vectors'.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from headway.compress.answers import TEXTS_AT_ONCE, Answers
from headway.compress.widths import mapped
from headway.core.batching import TokenSequence
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
SIDE_FILES = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")


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
        return self.between(found_BV, batch.taught_BV)

    def between(self, found_BV: Tensor, taught_BV: Tensor) -> Tensor:
        """The loss of vectors, summed over texts."""
        if self.settings.vector_loss == "cosine":
            return (1 - F.cosine_similarity(found_BV, taught_BV, dim=-1)).sum()
        return (found_BV - taught_BV).square().mean(-1).sum()

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


def vectors_from(
    first: int,
    folder: Path,
    texts: Sequence[str],
    *,
    max_length: int | None,
    precision: str = "fp32",
    device: str | None = None,
) -> Iterator[list[np.ndarray]]:
    """The teacher's vectors of the texts from this one on, (1, width) each, some at a time, by the same pipeline that users have.

    What is made together does not depend on where it begins, so that vectors are the same after a kill, bit for bit.
    """
    limit: dict[str, Any] = {} if max_length is None else {"max_length": max_length}
    ready = pipeline("sentence-embeddings", folder, precision=precision, device=device, return_tensors="np", **limit)
    for start in range(first, len(texts), TEXTS_AT_ONCE):
        yield [found.answer.reshape(1, -1) for found in ready.stream(list(texts[start : start + TEXTS_AT_ONCE]))]


def embedder_identity(folder: Path) -> str:
    """A hash of what beside its weights decides a model's vectors: the tokenizer, and what sentence-transformers wrote."""
    files = [folder / name for name in SIDE_FILES] + sorted(folder.glob("[0-9]_*/*"))
    digest = hashlib.sha256(Tokenizer.from_pretrained(folder).fingerprint.encode())
    for file in files:
        if file.is_file():
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


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
