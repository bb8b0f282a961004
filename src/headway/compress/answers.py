"""What a teacher answers to the examples of a task, computed once and kept on disk.

A teacher's logits are small beside its work, and each epoch wants them again, so they are computed once. Its states and attention
are not: those of one layer take a thousand times the room of the text that they are of, and reading them would take longer than
computing them.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from headway.checkpoints import load_config, weights_hash
from headway.core.batching import TokenSequence, plan_batches
from headway.core.files import atomic_folder
from headway.neural.model import EncoderModel
from headway.neural.outputs import PackedOutputs
from headway.neural.packing import pack
from headway.training.step import Precision

TOKENS_AT_ONCE = 8192
VALUES, ENDS = "values.npy", "ends.npy"


@dataclass(frozen=True)
class Answers:
    """One row of scores for each sequence, or for each of its tokens, (rows, scores), memory-mapped, end to end."""

    values: np.ndarray
    ends: np.ndarray

    def of(self, sequence: int) -> np.ndarray:
        """The rows of one sequence."""
        start = 0 if not sequence else int(self.ends[sequence - 1])
        return self.values[start : int(self.ends[sequence])]


def teacher_identity(folder: Path) -> str:
    """A hash of the teacher's weights and configuration."""
    text = f"{weights_hash(folder)}\n{load_config(folder).to_json_string()}"
    return hashlib.sha256(text.encode()).hexdigest()


def kept_answers(folder: Path, *, identity: Sequence[str], make: Callable[[], list[np.ndarray]]) -> Answers:
    """The answers that this folder keeps under this identity, made where it does not."""
    place = folder / hashlib.sha256("\n".join(identity).encode()).hexdigest()[:32]
    if not place.is_dir():
        found = make()
        with atomic_folder(place) as draft:
            np.save(draft / VALUES, np.concatenate(found).astype(np.float32))
            np.save(draft / ENDS, np.cumsum([len(rows) for rows in found], dtype=np.int64))
            (draft / "identity.json").write_text(json.dumps(list(identity), indent=1) + "\n", encoding="utf-8")
    return Answers(np.load(place / VALUES, mmap_mode="r"), np.load(place / ENDS))


def answer(
    teacher: EncoderModel, sequences: Sequence[TokenSequence], precision: Precision, tell: Callable[[int], object]
) -> list[np.ndarray]:
    """The teacher's scores of each sequence: one row, or a row for each of its tokens. ``tell`` is told of how many are done."""
    found: list[np.ndarray] = [np.empty(0)] * len(sequences)
    for indices in plan_batches([len(sequence) for sequence in sequences], max_tokens=TOKENS_AT_ONCE):
        packed = pack([sequences[index] for index in indices], device=teacher.device)
        with torch.inference_mode(), precision():
            rows, by_token = scores_of(teacher.predict(teacher.encode(packed), packed))
        pieces = rows.float().cpu().split(list(packed.lengths) if by_token else 1)
        for place, piece in zip(packed.order_B.tolist(), pieces, strict=True):
            found[indices[place]] = piece.numpy()
        tell(len(indices))
    return found


def scores_of(found: PackedOutputs) -> tuple[Tensor, bool]:
    """A head's scores as rows, and whether there is one a token; both ends of an answer stand beside each other."""
    outputs = found.tokens or found.texts
    rows = [values if values.dim() == 2 else values[:, None] for values in outputs.values()]
    return torch.cat(rows, dim=1), bool(found.tokens)
