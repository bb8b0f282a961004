"""What an evaluation found, for people, programs and files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from headway.tasks import Details


@dataclass(frozen=True)
class Mistake:
    """A wrong answer: its row (counted from 1), what was asked, what would have been right, the answer, and how wrong it is."""

    row: int
    item: Any
    reference: Mapping[str, Any]
    answer: Any
    wrongness: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """Measures with their intervals, and all that one needs to get them again."""

    task: str
    model: str
    data: str
    scores: dict[str, float]
    """The measures by name, the most telling first."""
    intervals: dict[str, tuple[float, float]]
    """Between which values each measure lies with the confidence that was asked for; empty without resamples."""
    rows: int
    """How many rows were measured."""
    left_out: int = 0
    """How many rows tell no reference."""
    details: tuple[Details, ...] = ()
    """Tables: by label, or which label was taken for which."""
    worst: tuple[Mistake, ...] = ()
    """The worst mistakes, the worst first."""
    official: tuple[str, ...] = ()
    """The measures that the benchmark reports, where the data is one's."""
    notes: tuple[str, ...] = ()
    """What was taken for granted."""
    seconds: float = 0.0
    tokens: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Engine, precision, options, seed, versions, and the data file's SHA-256."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if value is None or isinstance(value, str | int | float) else str(value)
