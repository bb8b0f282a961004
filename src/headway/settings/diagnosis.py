"""Settings of ``headway diagnose``."""

from dataclasses import dataclass, field
from pathlib import Path

from headway.core.config import Config
from headway.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DiagnoseSettings(Config):
    """Which run to look into, with which data, and how long."""

    run: str = field(metadata={"positional": True})
    """Folder that ``headway train`` wrote."""

    data: str | None = field(default=None, metadata={"positional": True})
    """Training file to look at; by default the run's own."""

    valid: str | None = None
    """Validation file; by default the run's own."""

    minutes: float = 5.0
    """About how long short trainings may take in all; what they found is kept, and the same command goes on."""

    steps: int | None = None
    """Steps of each short training; by default as many as the minutes allow, and no more than the run had."""

    folds: int = 4
    """Parts of the training data whose labels are judged by a model that learnt from the others."""

    limit: int = 5000
    """Training rows whose labels are judged at most, drawn at random."""

    rows: int = 10
    """Rows shown of each finding; the files name all."""

    seed: int = 0
    """What decides which rows are drawn."""

    json: bool = False
    """Whether to print JSON in place of text."""

    out: Path | None = None
    """Markdown file to write; by default ``diagnosis/report.md`` in the run's folder."""

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything, before any work is done."""
        for name, least in (("folds", 2), ("limit", 1), ("rows", 0), ("steps", 8)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} is {value}, but it counts something and must be at least {least}.")
        if self.minutes < 0:
            raise ConfigError(f"minutes is {self.minutes}; it cannot be negative. Use 0 to look at the log and the rows alone.")
