"""What training shows and records: a live view in the terminal, and ``log.jsonl`` with one JSON object a line."""

import json
import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from headway.core.files import atomic_file
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.training.batch import Batch, step_operations
from headway.training.checkpoints import TrainerState
from headway.training.machine import matrix_product_peak, memory
from headway.training.processes import current
from headway.training.screen import Screen
from headway.training.step import StepResult, half_precision
from headway.training.view import View, lines

LOG = "log.jsonl"
BETWEEN = 0.25
"""Seconds between two drawings of the view."""
PRECISIONS = {None: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
REMEMBERED = 2000
"""Steps whose losses the view's curve shows."""


class Reporter:
    """Collects figures between log lines, and shows them.

    The log's entries live in the trainer's state, so a resumed run's log has no gap and no repeat.
    """

    def __init__(
        self,
        output: str | Path,
        *,
        progress: bool = True,
        doing: str = "Training",
        operations: Callable[[Any, Sequence[int], int], int] = step_operations,
    ) -> None:
        self.path = Path(output) / LOG
        self.is_first = current().is_first
        self.is_shown = progress and self.is_first
        self.screen = Screen(shown=self.is_shown)
        self.doing, self.operations = doing, operations
        self.last_loss = math.nan
        self._seen: deque[list[Any]] = deque(maxlen=REMEMBERED)
        self._model: EncoderModel | None = None
        self._arguments: TrainingArguments | None = None
        self._peak: float | None = None
        self._half: torch.dtype | None = None
        self._total, self._first, self._drawn = 0, 0, 0.0
        self._began = time.monotonic()
        self._clear_clock()

    def advise(self, advice: Sequence[str]) -> None:
        """Lines that stay: what the machine could do, and what would help."""
        for line in advice:
            self.screen.say(line)

    def begin(
        self,
        state: TrainerState,
        *,
        total: int,
        resumed: Path | None,
        model: EncoderModel | None = None,
        arguments: TrainingArguments | None = None,
    ) -> None:
        """Start showing steps, from those already done on. What the machine can do is measured where it will be seen."""
        if resumed is not None:
            self.screen.say(f"Going on from {resumed} at step {state.global_step:,} of {total:,}.")
        self._model, self._arguments, self._total, self._first = model, arguments, total, state.global_step
        if model is not None and self.screen.is_live:
            wanted = (None, False) if arguments is None else (arguments.bf16, arguments.fp16)
            self._half = half_precision(model.device, bf16=wanted[0], fp16=wanted[1])
            self._peak = matrix_product_peak(model.device, half=self._half)
        self._began = time.monotonic()
        self._clear_clock()

    def step(self, state: TrainerState, result: StepResult, rate: float, batches: Sequence[Batch] = ()) -> None:
        """Take in one step. What it saw may still be on its way (``settle``)."""
        seen: list[Any] = [result.loss, result.gradient_norm]
        state.unlogged.append(seen)
        self._seen.append(seen)
        self._tokens += result.tokens
        self._rate = rate
        if self.screen.is_live:
            self._operations += sum(self._cost(batch) for batch in batches)
            if time.monotonic() - self._drawn >= BETWEEN:
                self.draw(state)

    def settle(self, state: TrainerState) -> None:
        """Read the figures of the steps that a GPU has not told yet, all at once."""
        entries: list[list[Any]] = state.unlogged
        waiting = [entry for entry in entries if isinstance(entry[0], Tensor)]
        if not waiting:
            return
        told = torch.stack([torch.stack([figure.detach().float() for figure in entry]) for entry in waiting]).tolist()
        for entry, figures in zip(waiting, told, strict=True):
            entry[:] = figures

    def log_training(self, state: TrainerState) -> None:
        """Record the figures since the last log line."""
        if not state.unlogged:
            return
        self.settle(state)
        if self.screen.is_open:
            self.draw(state)  # it stands there while the model is evaluated, which may take long
        losses, norms = [loss for loss, _ in state.unlogged], [norm for _, norm in state.unlogged]
        norms = list(filter(math.isfinite, norms)) or norms  # a step that float16 left out has none
        state.unlogged = []
        self.last_loss = sum(losses) / len(losses)
        self.log(
            state,
            {
                "loss": self.last_loss,
                "grad_norm": sum(norms) / len(norms),
                "learning_rate": self._rate,
                "tokens_per_second": round(self._per_second(self._tokens)),
            },
        )
        self._clear_clock()

    def log(self, state: TrainerState, figures: dict[str, Any]) -> None:
        """Record figures of this step."""
        state.log_history.append({"step": state.global_step, **figures})
        self._write(state)
        self.screen.say(f"step {state.global_step:,}: " + ", ".join(f"{name} {_short(value)}" for name, value in figures.items()))

    def _write(self, state: TrainerState) -> None:
        if not self.is_first:
            return
        try:
            with atomic_file(self.path) as draft:
                draft.write_text("".join(json.dumps(entry) + "\n" for entry in state.log_history), encoding="utf-8")
        except OSError as error:
            warnings.warn(
                f"{self.path} could not be written ({error}). Training goes on, and the next line of the log brings all of it.",
                stacklevel=3,
            )

    def draw(self, state: TrainerState) -> None:
        """Show where training stands."""
        self._drawn = time.monotonic()
        self.settle(state)
        self.screen.draw(lines(self.view(state), **self.screen.size))

    def view(self, state: TrainerState) -> View:
        """Where training stands."""
        gone, done = time.monotonic() - self._began, state.global_step - self._first
        now, most = memory(self._model.device if self._model is not None else torch.device("cpu"))
        metric = _metric(state.log_history, self._arguments)
        return View(
            doing=self.doing,
            step=state.global_step,
            total=self._total,
            epoch=state.epoch,
            gone=gone,
            left=gone / done * (self._total - state.global_step) if done else None,
            losses=tuple(loss for loss, _ in self._seen),
            rate=self._rate,
            norm=self._seen[-1][1] if self._seen else None,
            **metric,
            tokens_per_second=self._per_second(self._tokens),
            operations_per_second=self._per_second(self._operations) if self._operations else None,
            peak=self._peak,
            precision=PRECISIONS[self._half],
            memory=now,
            memory_peak=most,
        )

    def close(self) -> None:
        """Leave the terminal as it is."""
        self.screen.close()

    def _cost(self, batch: Batch) -> int:
        """Operations of a batch's part of a step."""
        if self._model is None:
            return 0
        return self.operations(self._model, batch.packed.lengths, len(batch.places))

    def _clear_clock(self) -> None:
        self._tokens, self._operations = 0, 0
        self._rate = 0.0
        self._since = time.monotonic()

    def _per_second(self, count: float) -> float:
        return count / max(1e-9, time.monotonic() - self._since)


def _metric(history: Sequence[dict[str, Any]], arguments: TrainingArguments | None) -> dict[str, Any]:
    """The metric that is watched: the one that models are compared by, or else the first that is no loss."""
    names = [name for entry in history for name in entry if name.startswith("eval_")]
    asked = None if arguments is None or arguments.metric_for_best_model is None else arguments.metric_for_best_model
    name = f"eval_{asked.removeprefix('eval_')}" if asked else next((name for name in names if name != "eval_loss"), "eval_loss")
    found = [(entry[name], entry["step"]) for entry in history if name in entry]
    if not found:
        return {}
    greater = None if arguments is None else arguments.greater_is_better
    is_greater = not name.endswith("loss") if greater is None else greater
    best, step = max(found, key=lambda one: one[0] if is_greater else -one[0])
    return {"metric": f"{name.removeprefix('eval_')} on held-out data", "value": found[-1][0], "best": best, "best_step": step}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
