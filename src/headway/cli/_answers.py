"""Answers for people and for files: lines on the screen, rows of JSON Lines or CSV."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from headway.core.files import atomic_file
from headway.errors import ConfigError, DataError

FORMATS = (".jsonl", ".csv")


class Write(Protocol):
    """Takes one text, or pair, and its answer."""

    def __call__(self, item: Any, answer: Any) -> None:
        """Write them down."""
        ...


def check_output(path: Path | None) -> None:
    """Refuse, before any work, a file whose name does not say how to write it."""
    if path is not None and path.suffix not in FORMATS:
        raise ConfigError(f"--output {path} does not say how to write the answers. End its name in {' or '.join(FORMATS)}.")


def writer(path: Path) -> AbstractContextManager[Write]:
    """What writes answers to a file, which has its name only once all are written."""
    return _csv_writer(path) if path.suffix == ".csv" else _json_writer(path)


def shown(item: Any, answer: Any) -> str:
    """An answer and its text for the screen; several answers to one text on as many lines."""
    if _is_vector(answer):
        return json.dumps(answer)
    if all(isinstance(one, Mapping) and "label" in one for one in answer):
        return "\n".join(f"{one['label']}  {one['score']:.4f}  {_plain(item)}" for one in answer)
    if all(isinstance(one, Mapping) for one in answer):
        return "\n".join(f"{one['token_str']}  {one['score']:.4f}  {one['sequence']}" for one in answer)
    return "\n".join(shown(item, one) for one in answer)


def best_label(answer: Any) -> str | None:
    """The label that a text got, where the task gives labels."""
    first = answer[0] if isinstance(answer, list) and answer else answer
    return first.get("label") if isinstance(first, Mapping) else None


def counted(labels: Counter[str]) -> str:
    """How often each label came, most frequent first."""
    return ", ".join(f"{label} {number:,}" for label, number in labels.most_common())


@contextmanager
def _json_writer(path: Path) -> Iterator[Write]:
    with atomic_file(path) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:

        def write(item: Any, answer: Any) -> None:
            row = _cells(item) | (dict(answer[0]) if _is_one_label(answer) else {"answers": answer})
            file.write(json.dumps(row, ensure_ascii=not _is_utf8(row)) + "\n")

        yield write


@contextmanager
def _csv_writer(path: Path) -> Iterator[Write]:
    with atomic_file(path) as draft, draft.open("w", encoding="utf-8", errors="replace", newline="") as file:
        table: csv.DictWriter[str] | None = None

        def write(item: Any, answer: Any) -> None:
            nonlocal table
            row = _cells(item) | _columns(answer)
            if table is None:
                table = csv.DictWriter(file, list(row))
                table.writeheader()
            try:
                table.writerow(row)
            except ValueError as error:
                raise DataError(
                    f"The answers do not all have the same columns ({error}). Write .jsonl instead of .csv."
                ) from error

        yield write


def _columns(answer: Any) -> dict[str, Any]:
    """One column a value: ``label``, ``score``; ``label_2`` and so on for further labels; anything deeper as JSON."""
    if not isinstance(answer, list) or not all(isinstance(one, Mapping) for one in answer):
        return {"answers": json.dumps(answer)}
    return {f"{name}_{place}" if place > 1 else name: one[name] for place, one in enumerate(answer, 1) for name in one}


def _cells(item: Any) -> dict[str, Any]:
    return dict(item) if isinstance(item, Mapping) else {"text": item}


def _plain(item: Any) -> str:
    text = " | ".join(str(part) for part in item.values()) if isinstance(item, Mapping) else str(item)
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_one_label(answer: Any) -> bool:
    return isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], Mapping) and "label" in answer[0]


def _is_vector(answer: Any) -> bool:
    while isinstance(answer, list) and answer:
        answer = answer[0]
    return isinstance(answer, float)


def _is_utf8(row: Mapping[str, Any]) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
