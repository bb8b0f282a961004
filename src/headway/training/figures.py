"""Figures of a run for people and for files, as the scripts of transformers show and keep them."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headway.core.files import atomic_file
from headway.training.checkpoints import STATE, TrainerState
from headway.training.processes import current


def table(split: str, metrics: Mapping[str, Any]) -> str:
    """The figures under a heading, by name, with rounded values behind one another."""
    shown = {name: _shown(name, value) for name, value in sorted(metrics.items())}
    width, places = (max(map(len, words), default=0) for words in (shown, shown.values()))
    return "\n".join(
        [f"***** {split} metrics *****", *(f"  {name:<{width}} = {value:>{places}}" for name, value in shown.items())]
    )


def save_metrics(folder: str | Path, split: str, metrics: Mapping[str, Any], *, combined: bool) -> None:
    """Write ``SPLIT_results.json`` and, beside what is in it, ``all_results.json``."""
    _write(Path(folder) / f"{split}_results.json", dict(metrics))
    if combined:
        path = Path(folder) / "all_results.json"
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        _write(path, before | dict(metrics))


def save_state(folder: str | Path, state: TrainerState) -> None:
    """Write where training stands, with its log."""
    _write(Path(folder) / STATE, asdict(state))


def _write(path: Path, values: Mapping[str, Any]) -> None:
    if not current().is_first:
        return
    with atomic_file(path) as draft:
        draft.write_text(json.dumps(values, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def _shown(name: str, value: Any) -> str:
    if name.endswith("_runtime"):
        return str(datetime.timedelta(seconds=round(value, 2)))
    return f"{value:.4f}" if isinstance(value, float) else str(value)
