"""An evaluation for the screen: what was measured, the measures with their intervals, tables, mistakes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headway.evaluation import Mistake, Report
    from headway.tasks import Details

LONGEST = 300
"""Signs of a text or an answer that are shown."""


def shown(report: "Report", *, confidence: float) -> str:
    """The report as lines."""
    parts = [heading(report), measures(report, confidence), *map(details, report.details)]
    if report.worst:
        parts.append("\n".join(["Worst mistakes", *(line for one in report.worst for line in mistake(one))]))
    return "\n\n".join([*parts, *report.notes])


def heading(report: "Report") -> str:
    """What was measured on what, and how fast it went."""
    seconds = max(report.seconds, 1e-9)
    left_out = f"; {report.left_out:,} without a reference left out" if report.left_out else ""
    return (
        f"{report.task} by {report.model} ({report.settings.get('precision')}) on {report.data}\n{report.rows:,} rows in "
        f"{seconds:,.1f} s ({report.rows / seconds:,.0f} rows/s, {report.tokens / seconds:,.0f} tokens/s){left_out}"
    )


def measures(report: "Report", confidence: float) -> str:
    """One measure a line, those that a benchmark reports first and marked."""
    names = sorted(report.scores, key=lambda name: name not in report.official)
    rows = [
        (f"{name.replace('_', ' ')}{' *' * (name in report.official)}", report.scores[name], *_interval(report, name))
        for name in names
    ]
    header = ("measure", "value", f"{100 * confidence:g} % interval") if report.intervals else ("measure", "value")
    said = "\n* what the benchmark reports" * bool(set(names) & set(report.official))
    return table(header, rows) + said


def details(found: "Details") -> str:
    """A table under its title."""
    return f"{found.title}\n{table(found.header, found.rows)}"


def mistake(found: "Mistake") -> Iterator[str]:
    """A wrong answer beside what would have been right, and the text under it."""
    wrong = "; ".join(_wrong_words(found)) or f"{_cells(found.reference)}, answered {_short(answer(found.answer))}"
    yield f"row {found.row:,}: {_short(wrong)}"
    texts = found.item if isinstance(found.item, Mapping) else {"text": found.item}
    yield from (f"    {_short(_text(text))}" for text in texts.values())


def answer(found: Any) -> str:
    """The best of an answer: a label or a span with its score."""
    best = found[0] if isinstance(found, list) and found else found
    if isinstance(best, float):
        return f"{best:.3f}"
    if not isinstance(best, Mapping):
        return json.dumps(best, default=str)
    named = next((best[name] for name in ("label", "answer", "word") if name in best), None)
    return json.dumps(best, default=str) if named is None else f"{named} ({best['score']:.3f})" if "score" in best else str(named)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns under each other: the first to the left, the others to the right."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def _wrong_words(found: "Mistake") -> list[str]:
    """Where each word has a label of its own: the words with a wrong one."""
    labels = next(iter(found.reference.values()), None)
    given = found.answer if isinstance(found.answer, list) else []
    if not isinstance(labels, list) or not all(isinstance(one, Mapping) and "entity" in one for one in given):
        return []
    pairs = zip(given, labels, strict=False)
    return [f"{one['word']} is {label}, answered {one['entity']}" for one, label in pairs if one["entity"] != label]


def _text(value: Any) -> str:
    """An input's text, or its words."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _interval(report: "Report", name: str) -> tuple[str, ...]:
    if not report.intervals:
        return ()
    between = report.intervals.get(name)
    return ("" if between is None else f"{between[0]:.4f} – {between[1]:.4f}",)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _printable(str(value))


def _cells(cells: Mapping[str, Any]) -> str:
    """A reference for the screen; a single cell without its role."""
    return _short(", ".join(map(_reference, cells.values())))


def _reference(value: Any) -> str:
    """One cell: texts as they are, different answers to a question beside each other."""
    value = value["text"] if isinstance(value, Mapping) and "text" in value else value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " | ".join(dict.fromkeys(value)) or "nothing"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _short(text: str) -> str:
    text = " ".join(_printable(text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
