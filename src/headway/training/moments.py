"""When the strategies of logging, evaluating and saving want something done."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

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
