"""Where a training is shown: a few lines redrawn in place in a terminal or a notebook, plain lines anywhere else.

``rich`` draws: it knows terminals, notebooks, widths, ``NO_COLOR``, and keeps what others print above the view.
"""

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text


class Screen:
    """Lines that stay, and below them a view that changes. Nothing at all is shown where ``shown`` is false."""

    def __init__(self, *, shown: bool, console: Console | None = None) -> None:
        self.is_shown = shown
        self.console = Console(stderr=True, highlight=False) if console is None else console
        self._live: Live | None = None

    @property
    def is_live(self) -> bool:
        """Whether something can be redrawn here."""
        can_move = self.console.file.isatty() and not self.console.is_dumb_terminal
        return self.is_shown and (can_move or self.console.is_jupyter)

    @property
    def is_open(self) -> bool:
        """Whether a view stands there."""
        return self._live is not None

    @property
    def size(self) -> dict[str, Any]:
        """The width, and whether all signs can be shown."""
        return {"width": self.console.width, "unicode": "utf" in self.console.encoding.lower()}

    def say(self, line: str) -> None:
        """A line that stays; above the view where there is one."""
        if self.is_shown:
            sys.stdout.write(line + "\n")

    def draw(self, rows: Sequence[str]) -> None:
        """Show these rows in place of those before."""
        if not self.is_live:
            return
        if self._live is None:
            self._live = Live(
                console=self.console, auto_refresh=False, transient=True,
                redirect_stdout=sys.stdout.isatty(), redirect_stderr=sys.stderr.isatty(),
            )  # fmt: skip
            self._live.start()
        self._live.update(Group(*(Text(row, no_wrap=True, overflow="crop") for row in rows)), refresh=True)

    def close(self) -> None:
        """Take the view away, and leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None
