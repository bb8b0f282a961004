"""How far a job is, on one line of the screen; now and then a line where nobody watches."""

import math
import sys
import time
from collections.abc import Callable
from typing import TextIO

TERMINAL_SECONDS, FILE_SECONDS = 0.2, 60.0
"""How often the line is drawn anew on a terminal, and how often it is written to anything else."""


class Progress:
    """Tells how many rows are done, how fast, and how long the rest will take."""

    def __init__(self, *, shown: bool = True, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream or sys.stderr, clock
        self._shown, self._terminal = shown, self._stream.isatty()
        self._began = self._last = clock()
        self._first: tuple[int, float] | None = None

    def update(self, rows: int, fraction: float) -> None:
        """Say that so many rows are done, which are this fraction of all; 0 where nobody can know."""
        now = self._clock()
        if self._first is None:
            self._first = (rows, fraction)
        if self._shown and now - self._last >= (TERMINAL_SECONDS if self._terminal else FILE_SECONDS):
            self._last = now
            self._say(line(rows, fraction, seconds=now - self._began, first=self._first))

    def close(self) -> None:
        """Leave the line."""
        if self._shown and self._terminal and self._last > self._began:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def _say(self, text: str) -> None:
        self._stream.write(f"\r\033[K{text}" if self._terminal else f"{text}\n")
        self._stream.flush()


def line(rows: int, fraction: float, *, seconds: float, first: tuple[int, float]) -> str:
    """What the line says; ``first`` are the rows and the fraction that were done before the seconds began."""
    speed = (rows - first[0]) / max(seconds, 1e-9)
    if fraction <= first[1]:
        return f"Predicting: {rows:,} rows, {speed:,.0f} rows/s"
    left = seconds * (1 - fraction) / (fraction - first[1])
    return f"Predicting: {math.floor(100 * fraction)} %, {rows:,} rows, {speed:,.0f} rows/s, {duration(left)} left"


def duration(seconds: float) -> str:
    """A time as people say it: 42 s, 3 min 20 s, 5 h 7 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"
