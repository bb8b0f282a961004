"""When the strategies of logging, evaluating and saving want something done."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from headway.settings.training import TrainingArguments
from headway.settings.training_checks import is_multiple

Moment: TypeAlias = Literal["steps", "epoch"]
"""After a step, or at the end of an epoch."""


@dataclass(frozen=True)
class Now:
    """After a step, or at the end of an epoch; and whether training ends here."""

    moment: Moment
    step: int
    is_last: bool
    ends_epoch: bool

    def is_due(self, strategy: str, every: int) -> bool:
        """Whether a strategy wants its action now; what happens at steps or epochs also happens at the very end."""
        match strategy:
            case "no":
                return False
            case "epoch":
                return self.moment == "epoch" or (self.is_last and not self.ends_epoch)
            case "best":
                return self.moment == "steps" and self.is_last
            case _:
                return self.moment == "steps" and (self.is_last or self.step % every == 0)


@dataclass(frozen=True)
class Intervals:
    """Steps between lines of the log, evaluations and checkpoints."""

    logging: int
    evaluating: int
    saving: int


def intervals(arguments: TrainingArguments, total: int) -> Intervals:
    """The intervals in steps of a training that has ``total``; those below 1 are shares of it, rounded up.

    Checkpoints that were to come with every so many evaluations still do when both are rounded.
    """
    every = arguments.eval_steps or arguments.logging_steps
    evaluating, saving = _steps(every, total), _steps(arguments.save_steps, total)
    if arguments.save_steps < 1 and is_multiple(arguments.save_steps, of=every):
        saving = round(arguments.save_steps / every) * evaluating
    return Intervals(_steps(arguments.logging_steps, total), evaluating, saving)


def _steps(every: float, total: int) -> int:
    return math.ceil(every * total) if every < 1 else int(every)
