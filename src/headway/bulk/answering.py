"""Rows in, answers out, in order: what one process, or each of many, does with its part of a job."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from headway.bulk.inputs import Piece
from headway.errors import DataError, HeadwayError
from headway.inference import Pipeline
from headway.inference.cache import fingerprint
from headway.inference.schedule import Answered
from headway.tables import cells
from headway.tasks import TableForm
from headway.tasks import task as find_task

Found: TypeAlias = Answered | str
"""An answer, or why there is none."""

NEVER_EMPTY = ("text_pair",)
"""Roles that a table may lack, but no single row of one that has them: half a pair is not what the other rows are."""

MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*.bin", "*.onnx")


def pipeline_identity(pipeline: Pipeline) -> dict[str, Any]:
    """What decides a pipeline's answers: the task, its options, and all that the model's folder holds."""
    folder = pipeline.facts.folder
    files = [] if folder is None else [path for kind in MODEL_FILES for path in (*folder.glob(kind), *folder.glob(f"*/{kind}"))]
    return {
        "task": pipeline.task,
        "options": pipeline.choose().to_dict(),
        "model": fingerprint(
            path for path in files if not path.parent.name.startswith("checkpoint-") and path.parent.suffix != ".parts"
        ),
        "precision": pipeline.engine.precision,
    }


@dataclass(frozen=True)
class AnsweredPiece:
    """A few rows and what was found for each."""

    piece: Piece
    found: Sequence[Found]


def answer(pieces: Iterable[Piece], pipeline: Pipeline, *, strict: bool = False) -> Iterator[AnsweredPiece]:
    """Each piece with its answers, in order. A row that cannot be answered has the reason instead; ``strict`` raises it."""
    waiting: deque[tuple[Piece, list[Any]]] = deque()
    answers = pipeline.places(_items(pieces, find_task(pipeline.task).table, waiting))
    for first in answers:
        while not _inputs(waiting[0][1]):
            yield _merged(*waiting.popleft(), [], strict=strict)
        piece, items = waiting.popleft()
        yield _merged(piece, items, [first, *islice(answers, _inputs(items) - 1)], strict=strict)
    while waiting:
        yield _merged(*waiting.popleft(), [], strict=strict)


@dataclass(frozen=True)
class _Refused:
    """A row that no task need see."""

    reason: str


def _items(pieces: Iterable[Piece], form: TableForm, waiting: deque[tuple[Piece, list[Any]]]) -> Iterator[Any]:
    """What the task reads, row by row; each piece waits with its items until their answers come."""
    for piece in pieces:
        items = items_of(piece, form)
        waiting.append((piece, items))
        yield from (item for item in items if not isinstance(item, _Refused))


def items_of(piece: Piece, form: TableForm) -> list[Any]:
    """Each row as the task reads it, or why it cannot be."""
    names = set(piece.rows.batch.schema.names)
    nothing = [None] * len(piece.rows)
    values = [cells(piece.rows.batch, name) if name in names else nothing for name in piece.columns.values()]
    return [
        _item(piece, dict(zip(piece.columns, row, strict=True)), place, form)
        for place, row in enumerate(zip(*values, strict=True))
    ]


def _item(piece: Piece, row: dict[str, Any], place: int, form: TableForm) -> Any:
    if place in piece.rows.faults:
        return _Refused(piece.rows.faults[place])
    row = {role: cell for role, cell in row.items() if cell is not None or role not in form.optional or role in NEVER_EMPTY}
    empty = next((role for role, cell in row.items() if cell is None), None)
    if empty is not None:
        return _Refused(f"The column {piece.columns[empty]!r} holds nothing, where the {empty} belongs. Fill it in.")
    try:
        return form.item(row)
    except HeadwayError as error:
        return _Refused(str(error))


def _inputs(items: Sequence[Any]) -> int:
    return sum(not isinstance(item, _Refused) for item in items)


def _merged(piece: Piece, items: Sequence[Any], answers: Sequence[Answered | HeadwayError], *, strict: bool) -> AnsweredPiece:
    rest = iter(answers)
    found = [item.reason if isinstance(item, _Refused) else _found(next(rest)) for item in items]
    if strict:
        _refuse_errors(piece, found)
    return AnsweredPiece(piece, found)


def _found(answer: Answered | HeadwayError) -> Found:
    return str(answer) if isinstance(answer, HeadwayError) else answer


def _refuse_errors(piece: Piece, found: Sequence[Found]) -> None:
    for place, one in enumerate(found):
        if isinstance(one, str):
            raise DataError(
                f"Row {piece.start.row + place + 1} of {piece.name} cannot be answered: {one} Correct it, or leave strict out: "
                "then the job goes on, and the reason stands beside the row."
            )
