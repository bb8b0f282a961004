"""What ends a training before its last step: SIGTERM, Ctrl-C, or the time it was given.

The step under way is finished and a checkpoint written before the process ends.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from headway.settings.training import TrainingArguments
from headway.training.checkpoints import TrainerState

EXIT = 128
"""A process that a signal ended has this status, and the signal's number beside it."""
TIME_IS_UP = 75
"""No signal, but stands in the place of one; and the status of a process that it ended: EX_TEMPFAIL of sysexits.h, come again."""
NOTED = b"\nFinishing this step, then writing a checkpoint. Ctrl-C again stops at once.\n"


class Interruptions:
    """Notes the first SIGTERM or SIGINT instead of dying of it, while the block runs; the second one works as ever.

    Only the main thread hears signals; in another one nothing is changed. A signal that the process was started to ignore, as
    shells start what runs in the background, stays ignored. After so many ``minutes`` time is up, whatever the thread.
    """

    def __init__(self, minutes: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._signal, self._clock = 0, clock
        self._end = None if minutes is None else clock() + 60 * minutes
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._hear) for number in heard}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number in list(self._before):
            self._give_back(number)

    @property
    def heard(self) -> int:
        """The signal's number, ``TIME_IS_UP``, or 0."""
        return self._signal or (TIME_IS_UP if self._end is not None and self._clock() >= self._end else 0)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._signal = self._signal or number
        self._give_back(number)
        if number == signal.SIGINT:
            os.write(2, NOTED)  # print() may be what was interrupted

    def _give_back(self, number: int) -> None:
        before = self._before.pop(number, None)
        if before is not None:
            signal.signal(number, before)


def end(number: int, message: str) -> BaseException:
    """What ends the process as the signal would have: an exit with its status, or for Ctrl-C the usual interruption."""
    if number == signal.SIGINT:
        return KeyboardInterrupt(message)
    return SystemExit(TIME_IS_UP if number == TIME_IS_UP else EXIT + number)


def stopped_message(number: int, state: TrainerState, folder: Path | None, arguments: TrainingArguments, *, wanted: bool) -> str:
    """Where training was ended, and how it goes on."""
    what = f"max_minutes={arguments.max_minutes:g}" if number == TIME_IS_UP else signal.Signals(number).name
    stopped = f"Stopped by {what} after step {state.global_step:,} of {state.max_steps:,}."
    if folder is None:
        why = "Its checkpoint could not be written" if wanted else "Nothing was saved, because save_strategy is 'no'"
        return f"{stopped} {why}; training goes on from the last checkpoint there is, or anew."
    if arguments.save_only_model:
        return f"{stopped} The model is in {folder}, from which training cannot go on: save_only_model left the optimiser out."
    how = (
        "The same run started again goes on"
        if arguments.resume_from_checkpoint is True
        else "resume_from_checkpoint=True goes on"
    )
    return f"{stopped} {how} from {folder}."
