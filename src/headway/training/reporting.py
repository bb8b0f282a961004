"""What training shows and records: a live line in the terminal, and ``log.jsonl`` with one JSON object a line."""

import json
import math
import time
from pathlib import Path
from typing import Any

from headway.core.files import atomic_file
from headway.training.checkpoints import TrainerState
from headway.training.step import StepResult

LOG = "log.jsonl"


class Reporter:
    """Collects figures between log lines.

    The log's entries live in the trainer's state, so a resumed run's log has no gap and no repeat.
    """

    def __init__(self, output: str | Path, *, progress: bool = True, doing: str = "Training") -> None:
        from tqdm import tqdm

        self.path = Path(output) / LOG
        self.is_shown = progress
        self.bar = tqdm(desc=doing, unit="step", disable=not progress, dynamic_ncols=True)
        self.last_loss = math.nan
        self._clear_clock()

    def begin(self, state: TrainerState, *, total: int, resumed: Path | None) -> None:
        """Start showing steps, from those already done on."""
        if resumed is not None and self.is_shown:
            self.bar.write(f"Going on from {resumed} at step {state.global_step:,} of {total:,}.")
        self.bar.reset(total)
        self.bar.update(state.global_step)
        self.bar.initial = state.global_step
        self._clear_clock()

    def step(self, state: TrainerState, result: StepResult, rate: float) -> None:
        """Take in one step."""
        state.unlogged.append([result.loss, result.gradient_norm])
        self._tokens += result.tokens
        self._rate = rate
        self.bar.set_postfix(loss=f"{result.loss:.3f}", tokens_s=f"{self._tokens_per_second():,.0f}", refresh=False)
        self.bar.update()

    def log_training(self, state: TrainerState) -> None:
        """Record the figures since the last log line."""
        if not state.unlogged:
            return
        losses, norms = zip(*state.unlogged, strict=True)
        state.unlogged = []
        self.last_loss = sum(losses) / len(losses)
        self.log(
            state,
            {
                "loss": self.last_loss,
                "grad_norm": sum(norms) / len(norms),
                "learning_rate": self._rate,
                "tokens_per_second": round(self._tokens_per_second()),
            },
        )
        self._clear_clock()

    def log(self, state: TrainerState, figures: dict[str, Any]) -> None:
        """Record figures of this step."""
        state.log_history.append({"step": state.global_step, **figures})
        with atomic_file(self.path) as draft:
            draft.write_text("".join(json.dumps(entry) + "\n" for entry in state.log_history), encoding="utf-8")
        if self.is_shown:
            self.bar.write(
                f"step {state.global_step:,}: " + ", ".join(f"{name} {_short(value)}" for name, value in figures.items())
            )

    def close(self) -> None:
        """Leave the terminal as it is."""
        self.bar.close()

    def _clear_clock(self) -> None:
        self._tokens = 0
        self._rate = 0.0
        self._since = time.monotonic()

    def _tokens_per_second(self) -> float:
        return self._tokens / max(1e-9, time.monotonic() - self._since)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
