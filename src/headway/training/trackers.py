"""Where figures go beside the terminal and ``log.jsonl``: TensorBoard, Weights & Biases, MLflow; each a callback."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from headway.errors import MissingExtraError
from headway.settings.training import TrainingArguments
from headway.training.callbacks import TrainerCallback, TrainerControl
from headway.training.processes import current

FOLDER = "runs"
EVALUATION, TRAINING = "eval", "train"


class TensorBoardCallback(TrainerCallback):
    """Writes figures and settings for TensorBoard, in the folder ``runs`` of the output: ``tensorboard --logdir OUTPUT``."""

    def __init__(self) -> None:
        self._writer: Any = None

    def on_train_begin(self, args: TrainingArguments, state: Any, control: TrainerControl, **given: Any) -> None:
        """Open the file, behind what an interrupted run wrote up to this step."""
        writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter
        self._writer = writer(Path(args.output_dir) / FOLDER, purge_step=state.global_step + 1 if state.global_step else None)
        self._writer.add_text("arguments", "\n".join(f"    {name}: {value}" for name, value in args.to_dict().items()))

    def on_log(self, args: Any, state: Any, control: TrainerControl, *, logs: Mapping[str, Any], **given: Any) -> None:
        """Write the figures."""
        if self._writer is not None:
            for name, value in tracked(logs).items():
                self._writer.add_scalar(name, value, state.global_step)

    def on_train_end(self, args: Any, state: Any, control: TrainerControl, **given: Any) -> None:
        """Close the file."""
        self._writer.close()
        self._writer = None


class WandbCallback(TrainerCallback):
    """Sends figures and settings to Weights & Biases; its own environment variables say where (``WANDB_PROJECT`` …)."""

    def __init__(self) -> None:
        self._wandb = importlib.import_module("wandb")

    def on_train_begin(self, args: TrainingArguments, state: Any, control: TrainerControl, **given: Any) -> None:
        """Begin a run, unless one is under way."""
        if self._wandb.run is None:
            self._wandb.init(name=args.run_name, config=args.to_dict(), resume="allow" if state.global_step else None)

    def on_log(self, args: Any, state: Any, control: TrainerControl, *, logs: Mapping[str, Any], **given: Any) -> None:
        """Send the figures."""
        if self._wandb.run is not None:
            self._wandb.log(tracked(logs), step=state.global_step)

    def on_train_end(self, args: Any, state: Any, control: TrainerControl, **given: Any) -> None:
        """Leave the run open for what the caller still wants to log."""


class MLflowCallback(TrainerCallback):
    """Sends figures and settings to MLflow; its own environment variables say where (``MLFLOW_TRACKING_URI`` …)."""

    LONGEST_VALUE = 500
    """Characters of a setting that MLflow takes."""

    def __init__(self) -> None:
        self._mlflow = importlib.import_module("mlflow")
        self._is_ours = False

    def on_train_begin(self, args: TrainingArguments, state: Any, control: TrainerControl, **given: Any) -> None:
        """Begin a run, unless one is under way."""
        if self._mlflow.active_run() is None:
            self._mlflow.start_run(run_name=args.run_name)
            self._is_ours = True
        self._mlflow.log_params({name: str(value)[: self.LONGEST_VALUE] for name, value in args.to_dict().items()})

    def on_log(self, args: Any, state: Any, control: TrainerControl, *, logs: Mapping[str, Any], **given: Any) -> None:
        """Send the figures."""
        if self._mlflow.active_run() is not None:
            self._mlflow.log_metrics(tracked(logs), step=state.global_step)

    def on_train_end(self, args: Any, state: Any, control: TrainerControl, **given: Any) -> None:
        """End the run, if it was begun here."""
        if self._is_ours:
            self._mlflow.end_run()
            self._is_ours = False


TRACKERS: Mapping[str, tuple[str, Callable[[], TrainerCallback]]] = {
    "tensorboard": ("tensorboard", TensorBoardCallback),
    "wandb": ("wandb", WandbCallback),
    "mlflow": ("mlflow", MLflowCallback),
}
"""By the name in ``report_to``: the package that it needs, and the callback."""


def trackers(args: TrainingArguments) -> list[TrainerCallback]:
    """The callbacks that ``report_to`` names; ``all`` are those whose package is installed.

    Of several processes only the first sends figures anywhere.
    """
    if not current().is_first:
        return []
    named = [name for word in args.report_to for name in (TRACKERS if word == "all" else [word]) if word != "none"]
    found = []
    for name in dict.fromkeys(named):
        package, make = TRACKERS[name]
        is_there = importlib.util.find_spec(package) is not None
        if not is_there and "all" not in args.report_to:
            raise MissingExtraError(
                f"report_to={name!r} needs the package {package!r}, which is not installed. Install it with: pip install "
                f"{package}. Figures are in log.jsonl in any case."
            )
        if is_there:
            found.append(make())
    return found


def tracked(logs: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a line of the log under the names that transformers gives them: ``train/loss``, ``eval/accuracy``."""
    return {
        f"{EVALUATION}/{name.removeprefix('eval_')}" if name.startswith("eval_") else f"{TRAINING}/{name}": float(value)
        for name, value in logs.items()
        if name != "step" and isinstance(value, int | float)
    }
