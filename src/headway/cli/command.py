"""What one file in ``cli/commands/`` says about its command: ``COMMAND``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headway.core.config import Config


@dataclass(frozen=True, kw_only=True)
class Command:
    """One ``headway`` command: a settings dataclass whose fields are the flags, and the function that does it.

    A field with ``metadata={"positional": True}`` is a positional argument. ``run`` imports what it needs when called.
    """

    summary: str
    settings: type[Config]
    run: Callable[[Any], None]
