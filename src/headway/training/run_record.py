"""What a run leaves beside the model: its settings, data, figures, environment, curves and card."""

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from headway import __version__
from headway.core.config import Config
from headway.core.files import atomic_file
from headway.core.settings_files import as_toml
from headway.neural.model import EncoderModel
from headway.training.card import MARK, Facts, card
from headway.training.checkpoints import TrainerState
from headway.training.curves import draw, panels
from headway.training.loop import TrainOutput
from headway.training.processes import current

SETTINGS, METRICS, DATA, ENVIRONMENT, CURVES, CARD = (
    "settings.toml", "metrics.json", "data.json", "environment.json", "curves.png", "README.md",
)  # fmt: skip
VERSIONS = ("torch", "numpy", "tokenizers", "safetensors")
MOST_LABELS = 1000
ALWAYS = ("learning_rate", "per_device_train_batch_size", "num_train_epochs", "lr_scheduler_type", "optim", "seed")
"""Settings that the card shows although they are the usual ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """All that is known of a run when it ends."""

    folder: Path
    settings: Config
    model: EncoderModel
    task: str
    state: TrainerState
    result: TrainOutput
    scores: Mapping[str, float]
    """On the validation data, by names that begin with ``eval_``; empty where there was none."""
    data: Mapping[str, Mapping[str, Any]]
    base: str | None = None
    command: str = "train"
    """The command that repeats the run with its settings."""
    summary: str = ""
    """What the model is, for the card; empty for what fine-tuning makes."""
    always: tuple[str, ...] = ALWAYS


def write_record(record: Record) -> list[str]:
    """Write all files; what could not be written, in words."""
    if not current().is_first:
        return []
    folder, said = record.folder, []
    metrics = run_metrics(record, _read(folder / METRICS))
    facts = environment(record.model.device)
    _write(
        folder / SETTINGS,
        as_toml(record.settings, title=f"headway {record.command} --config {SETTINGS}, with Headway {__version__}"),
    )
    for name, values in ((METRICS, metrics), (DATA, record.data), (ENVIRONMENT, facts)):
        _write(folder / name, json.dumps(values, indent=2, default=str) + "\n")
    has_curves = draw_curves(record.state.log_history, folder / CURVES)
    if has_curves is None:
        said.append(f"{CURVES} was not drawn, for Pillow is not installed: pip install 'headway[train]'")
    old = folder / CARD
    if old.is_file() and MARK not in old.read_text(encoding="utf-8"):
        said.append(f"{old} is not from Headway, so it was left as it is; remove it for a card of this run")
    else:
        _write(old, card(card_facts(record, metrics, facts, has_curves=bool(has_curves))))
    return said


def draw_curves(history: Sequence[Mapping[str, Any]], path: Path) -> bool | None:
    """Write the curves; False where there is nothing to draw, None where Pillow is not installed."""
    if importlib.util.find_spec("PIL") is None:
        return None
    if not panels(history):
        return False
    with atomic_file(path) as draft:
        draw(history, draft)
    return True


def run_metrics(record: Record, before: Mapping[str, Any]) -> dict[str, Any]:
    """Scores, and figures of the training; those of an earlier call where this one had nothing left to do."""
    state, done = record.state, record.result.metrics
    speeds = [entry["tokens_per_second"] for entry in state.log_history if "tokens_per_second" in entry]
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    figures = {
        "steps": state.global_step,
        "epochs": round(state.epoch, 4),
        "last_loss": losses[-1] if losses else None,
        "median_tokens_per_second": round(median(speeds)) if speeds else None,
        "seconds_of_last_call": round(done["train_runtime"], 1),
        "steps_of_last_call": round(done["train_steps"]),
    }
    training = before["training"] if not done["train_steps"] and "training" in before else figures
    best = {"step": state.best_global_step, "value": state.best_metric}
    scores = {name.removeprefix("eval_"): value for name, value in record.scores.items()}
    return {"scores": scores, "training": training, "best": best}


def environment(device: torch.device) -> dict[str, Any]:
    """Versions and hardware."""
    names = [name for name in VERSIONS if importlib.util.find_spec(name) is not None]
    gpu = {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda} if device.type == "cuda" else {}
    return {
        "headway": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
        "system": platform.platform(terse=True),
        "processor": processor(Path("/proc/cpuinfo")),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        **gpu,
    }


def processor(path: Path) -> str:
    """What the system calls the processor."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def data_facts(path: str, rows: Sequence[Mapping[str, Any]], labels: Iterable[Any] = ()) -> dict[str, Any]:
    """A file with its SHA-256, its rows, and how often each label stands in it."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    counts = Counter(str(one) for label in labels for one in (label if isinstance(label, list | tuple) else [label]))
    return {"file": path, "sha256": digest, "rows": len(rows), "labels": dict(counts.most_common(MOST_LABELS))}


def card_facts(record: Record, metrics: Mapping[str, Any], facts: Mapping[str, Any], *, has_curves: bool) -> Facts:
    """What the card says."""
    fields = {field.name: field for field in dataclasses.fields(record.settings)}
    values = record.settings.to_dict()
    chosen = {name: values[name] for name in values if name in record.always or values[name] != _plain(fields[name].default)}
    config = record.model.config
    return Facts(
        name=record.folder.resolve().name,
        task=record.task,
        family=config.model_type,
        parameters=sum(weight.numel() for weight in record.model.parameters()),
        base=record.base,
        command=record.command,
        summary=record.summary,
        labels=list(config.id2label.values()),
        scores=metrics["scores"],
        training={name: value for name, value in metrics["training"].items() if value is not None},
        data=record.data,
        settings=chosen,
        environment=facts,
        has_curves=has_curves,
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as draft:
        draft.write_text(text, encoding="utf-8")
