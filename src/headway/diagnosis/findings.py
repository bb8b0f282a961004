"""What a diagnosis says, for people, programs and files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

Level: TypeAlias = Literal["problem", "hint", "fine", "unknown"]
Sureness: TypeAlias = Literal["high", "medium", "low"]
SIGNS: Mapping[Level, str] = {"problem": "✗", "hint": "!", "fine": "✓", "unknown": "?"}
LONGEST = 160


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    said: str
    evidence: tuple[str, ...] = ()
    """Figures that it rests on, one a line."""
    sure: Sureness = "high"
    do: str = ""
    """What to do next, as settings."""
    rows: tuple[Mapping[str, Any], ...] = ()
    """Rows of the data that it is about, counted from 1."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings about a run, the gravest first."""

    run: str
    findings: tuple[Finding, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What was measured for them."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing was found that is wrong or could be better."""
        return all(finding.level in ("fine", "unknown") for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "run": self.run,
            "healthy": self.is_healthy,
            "findings": [asdict(finding) for finding in self.findings],
            "figures": dict(self.figures),
        }


def gravest_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings by level; of equal ones in the order in which they were looked at."""
    return tuple(sorted(findings, key=lambda finding: list(SIGNS).index(finding.level)))


def as_text(found: Diagnosis, *, rows: int = 10) -> str:
    """The diagnosis for a terminal, with at most so many rows of each finding."""
    parts = [f"{found.run}: {_verdict(found)}"]
    for finding in found.findings:
        lines = [f"{SIGNS[finding.level]} {finding.check}: {finding.said}{_sureness(finding)}"]
        lines += [f"    {line}" for line in finding.evidence]
        lines += [f"    row {_row(row)}" for row in finding.rows[:rows]]
        lines += [f"    … and {len(finding.rows) - rows} more"] if len(finding.rows) > rows else []
        lines += [f"    → {finding.do}"] if finding.do else []
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def as_markdown(found: Diagnosis, *, rows: int = 100) -> str:
    """The diagnosis as a page."""
    parts = [f"# Diagnosis of {found.run}", _verdict(found)]
    for finding in found.findings:
        parts.append(f"## {SIGNS[finding.level]} {finding.check}\n\n{finding.said}{_sureness(finding)}")
        listed = [*finding.evidence, *(f"row {_row(row)}" for row in finding.rows[:rows])]
        parts += ["\n".join(f"- {line}" for line in listed)] if listed else []
        parts += [f"**Next:** {finding.do}"] if finding.do else []
    return "\n\n".join(parts) + "\n"


def _verdict(found: Diagnosis) -> str:
    counts = {level: sum(finding.level == level for finding in found.findings) for level in SIGNS}
    unknown = f" {counts['unknown']} could not be looked at." if counts["unknown"] else ""
    if found.is_healthy:
        return f"nothing was found that keeps this run from being better ({counts['fine']} checks).{unknown}"
    return f"{counts['problem']} problems, {counts['hint']} hints, {counts['fine']} checks without a finding.{unknown}"


def _sureness(finding: Finding) -> str:
    return "" if finding.sure == "high" or finding.level in ("fine", "unknown") else f" (sureness: {finding.sure})"


def _row(row: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name} {_short(value)}" for name, value in row.items() if name != "row")
    return f"{row['row']}: {said}"


def _short(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
