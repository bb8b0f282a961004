"""Short trainings with a run's own settings, each of which is done once: what it found is kept, and read when asked for again."""

import hashlib
import json
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from headway.core.files import atomic_file
from headway.settings.training import TrainSettings
from headway.training import TrainerCallback
from headway.training.finetuning import FineTuning, prepare
from headway.training.optimiser import set_learning_rate

Rows = Sequence[Mapping[str, Any]]
FIGURES, FORMAT = "figures.json", 2
RANGE_STEPS = 48
LOWEST, HIGHEST = 1e-3, 1e3
"""Rates of the range test, as multiples of the run's."""


@dataclass
class Kept:
    """What short trainings found, on disk under the names of what was tried."""

    path: Path
    key: str
    """What they depend on; figures of anything else are dropped."""
    found: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take up what an interrupted diagnosis found."""
        before = json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() else {}
        self.found = before["found"] if before.get("key") == self.key else {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What is kept under a name, made and kept where nothing is."""
        if name not in self.found:
            self.found[name] = make()
            with atomic_file(self.path) as draft:
                draft.write_text(json.dumps({"key": self.key, "found": self.found}), encoding="utf-8")
        return self.found[name]


def key_of(settings: TrainSettings, *parts: Any) -> str:
    """A word that changes with the settings, and with whatever else figures depend on."""
    text = json.dumps([FORMAT, settings.to_dict(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """Where short trainings are made."""

    settings: TrainSettings
    folder: Path
    rows: Rows
    """All training rows, which tell the labels."""

    def train(self, rows: Rows, *, steps: int, callback: TrainerCallback | None = None) -> FineTuning:
        """A model that learnt from the rows for so many steps."""
        ready = self.ready(rows, steps=steps)
        if callback is not None:
            ready.trainer.add_callback(callback)
        ready.trainer.train()
        shutil.rmtree(self.folder, ignore_errors=True)
        return ready

    def ready(self, rows: Rows, *, steps: int = 1, model: str | None = None) -> FineTuning:
        """A model, by default a new one, before it learns anything."""
        short = short_settings(self.settings, self.folder, steps=steps, model=model)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*made anew")  # of each of them
            return prepare(short, rows=rows, labels=self.rows, progress=False)

    def rates(self) -> dict[str, Any]:
        """Losses over rising rates, and the seconds that a step took."""
        began, test = time.monotonic(), RisingRate(self.settings.learning_rate, RANGE_STEPS)
        self.train(self.rows, steps=RANGE_STEPS, callback=test)
        points = [[rate, loss if np.isfinite(loss) else None] for rate, loss in zip(test.rates, test.losses, strict=True)]
        return {"points": points, "seconds": (time.monotonic() - began) / RANGE_STEPS}

    def fold(self, number: int, chosen: np.ndarray, *, folds: int, steps: int) -> dict[str, Any]:
        """Chances of each label for the rows of a fold, by a model that learnt from the others of those chosen.

        ``rows`` has the place of each label's row: a row of words has several labels, less those of words that are cut off.
        """
        inside = chosen[number::folds]
        others = np.setdiff1d(chosen, inside)
        ready = self.train([self.rows[place] for place in others], steps=steps)
        chances, labels, owners = class_chances(ready, [self.rows[place] for place in inside])
        return {"rows": inside[owners].tolist(), "chances": chances.tolist(), "labels": labels.tolist()}

    def score(self, count: int, order: np.ndarray, valid: Rows, *, steps: int) -> dict[str, float]:
        """Scores on the held-out rows after learning from so many."""
        ready = self.train([self.rows[place] for place in order[:count]], steps=steps)
        found: dict[str, float] = ready.trainer.evaluate(list(valid))
        return found


class RisingRate(TrainerCallback):
    """Sets rates that rise by the same factor at each step, from far below the run's to far above."""

    def __init__(self, rate: float, steps: int) -> None:
        self.all = [rate * LOWEST * (HIGHEST / LOWEST) ** (step / (steps - 1)) for step in range(steps)]
        self.rates: list[float] = []
        self.losses: list[float] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Set the next one."""
        self.rates.append(self.all[len(self.rates)])
        set_learning_rate(given["optimizer"], self.rates[-1])

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Note the step's loss, which is in no line of the log yet."""
        self.losses.append(float(state.unlogged[-1][0]))


def short_settings(settings: TrainSettings, folder: Path, *, steps: int, model: str | None = None) -> TrainSettings:
    """The run's settings for a short training that leaves nothing behind; only the end of it is logged."""
    return replace(
        settings,
        model=model or settings.model,
        output_dir=str(folder),
        max_steps=steps,
        warmup_steps=settings.warmup_steps if settings.warmup_steps < 1 else 0.06,
        logging_strategy="steps",
        logging_steps=max(1, steps),
        eval_strategy="no",
        save_strategy="no",
        valid=None,
        load_best_model_at_end=False,
        metric_for_best_model=None,
        resume_from_checkpoint=False,
        report_to=(),
    )


def class_chances(ready: FineTuning, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances of each class, the right one and the place of its row, for each row, or for each word that has a label.

    (labels, classes), (labels,), (labels,). Words that the model does not read, because their text is cut, are left out.
    """
    found = ready.trainer.predict(list(rows))
    logits, labels = np.asarray(found.predictions, dtype=np.float64), np.asarray(found.label_ids)
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    chances = exponents / exponents.sum(-1, keepdims=True)
    if labels.ndim == 1:
        return chances, labels, np.arange(len(labels))
    counts = labels >= 0
    return chances[counts], labels[counts], counts.nonzero()[0]
