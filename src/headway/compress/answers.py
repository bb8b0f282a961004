"""What a teacher answers, computed once and kept on disk.

A teacher's logits and sentence vectors are small beside its work, and each epoch wants them again, so they are computed once. Its
states and attention are not: those of one layer take a thousand times the room of the text that they are of, and reading them
would take longer than computing them.

Answers are appended a few hundred at a time, and ``answers.json`` says how many are whole: a run that was killed goes on there.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from headway.bulk.locking import LOCK, locked
from headway.checkpoints import load_config, weights_hash
from headway.core.batching import TokenSequence, plan_batches
from headway.core.files import atomic_file, flush
from headway.neural.model import EncoderModel
from headway.neural.outputs import PackedOutputs
from headway.neural.packing import pack
from headway.training.step import Precision

TOKENS_AT_ONCE = 8192
TEXTS_AT_ONCE = 512
"""Texts whose answers are written together: what a killed run loses."""
VALUES, ENDS, FACTS = "values.bin", "ends.bin", "answers.json"
FORMAT = 2
Made: TypeAlias = Iterable[Sequence[np.ndarray]]
"""Answers in their order, some at a time."""


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


def kept_answers(
    folder: Path, *, identity: Sequence[str], count: int, make: Callable[[int], Made], progress: bool = False
) -> Answers:
    """The answers that this folder keeps under this identity, made where it does not.

    There are ``count``; ``make`` makes those from a number on. Another process that is making the same is a ``ConfigError``.
    """
    place = folder / hashlib.sha256("\n".join([str(FORMAT), *identity]).encode()).hexdigest()[:32]
    if not place.is_dir():
        unfinished = place.with_name(f"{place.name}.unfinished")
        with locked(unfinished, place):
            _complete(unfinished, identity, count=count, make=make, progress=progress)
            (unfinished / LOCK).unlink()
            unfinished.rename(place)
            flush(folder)
    return _opened(place)


def _complete(folder: Path, identity: Sequence[str], *, count: int, make: Callable[[int], Made], progress: bool) -> None:
    """Add the answers that are missing."""
    facts = _facts(folder) or {"format": FORMAT, "identity": list(identity), "sequences": 0, "rows": 0, "width": 0}
    with (
        _at_end(folder / VALUES, 4 * facts["rows"] * facts["width"]) as values,
        _at_end(folder / ENDS, 8 * facts["sequences"]) as ends,
        tqdm(total=count, initial=facts["sequences"], desc="Asking the teacher", unit=" texts", disable=not progress) as bar,
    ):
        for found in make(facts["sequences"]) if facts["sequences"] < count else ():
            rows = np.concatenate(found).astype(np.float32)
            last = np.cumsum([len(one) for one in found], dtype=np.int64) + facts["rows"]
            for file, array in ((values, rows), (ends, last)):
                file.write(array.tobytes())
                file.flush()
                flush(Path(file.name))
            facts |= {"sequences": facts["sequences"] + len(found), "rows": int(last[-1]), "width": rows.shape[1]}
            with atomic_file(folder / FACTS) as draft:
                draft.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            bar.update(len(found))


def _at_end(path: Path, size: int) -> IO[bytes]:
    """The file, opened where its whole answers end; what a killed run left behind them is cut off."""
    file = path.open("r+b" if path.exists() else "w+b")  # closed by the caller
    file.truncate(size)
    file.seek(size)
    return file


def _facts(folder: Path) -> dict[str, Any] | None:
    path = folder / FACTS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _opened(folder: Path) -> Answers:
    facts = _facts(folder)
    assert facts is not None
    values = np.memmap(folder / VALUES, dtype=np.float32, mode="r", shape=(facts["rows"], facts["width"]))
    return Answers(values, np.fromfile(folder / ENDS, dtype=np.int64))


def answers_from(
    first: int, teacher: EncoderModel, sequences: Sequence[TokenSequence], precision: Precision
) -> Iterator[list[np.ndarray]]:
    """The teacher's scores of the sequences from this one on, some at a time."""
    for start in range(first, len(sequences), TEXTS_AT_ONCE):
        yield answer(teacher, sequences[start : start + TEXTS_AT_ONCE], precision)


def answer(teacher: EncoderModel, sequences: Sequence[TokenSequence], precision: Precision) -> list[np.ndarray]:
    """The teacher's scores of each sequence: one row, or a row for each of its tokens."""
    found: list[np.ndarray] = [np.empty(0)] * len(sequences)
    for indices in plan_batches([len(sequence) for sequence in sequences], max_tokens=TOKENS_AT_ONCE):
        packed = pack([sequences[index] for index in indices], device=teacher.device)
        with torch.inference_mode(), precision():
            rows, by_token = scores_of(teacher.predict(teacher.encode(packed), packed))
        pieces = rows.float().cpu().split(list(packed.lengths) if by_token else 1)
        for place, piece in zip(packed.order_B.tolist(), pieces, strict=True):
            found[indices[place]] = piece.numpy()
    return found


def scores_of(found: PackedOutputs) -> tuple[Tensor, bool]:
    """A head's scores as rows, and whether there is one a token; both ends of an answer stand beside each other."""
    outputs = found.tokens or found.texts
    rows = [values if values.dim() == 2 else values[:, None] for values in outputs.values()]
    return torch.cat(rows, dim=1), bool(found.tokens)
