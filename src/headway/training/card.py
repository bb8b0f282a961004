"""A model card, with the Hub's metadata, made from what a run recorded. Nothing stands in it that was not measured or set."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.checkpoints.location import shipped_models
from headway.tasks import task_names

MARK = "<!-- written by headway train -->"
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*|(bert|distilbert|roberta|albert)-[\w-]+")
PIPELINE_TAGS = (
    "text-classification", "token-classification", "question-answering", "fill-mask", "sentence-similarity", "text-ranking",
)  # fmt: skip
TAGS = {"sentence-embeddings": "sentence-similarity"}
"""Tasks that the Hub calls otherwise."""
OF_SENTENCE_TRANSFORMERS = ("sentence-similarity", "text-ranking")
LEFT_OUT = (
    "model", "train", "valid", "files", "tokenizer", "output_dir", "task", "resume_from_checkpoint", "report_to", "run_name",
)  # fmt: skip
MOST_LABELS = 30


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a card is written from."""

    name: str
    task: str
    family: str
    parameters: int
    base: str | None = None
    """The model that training started from, as it was named."""
    command: str = "train"
    summary: str = ""
    """What the model is, in a sentence; where it is empty, what fine-tuning for the task makes."""
    labels: Sequence[str] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By role (train, valid): file, sha256, rows, labels."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those that were chosen, or that hold for this command."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    has_curves: bool = False


def metadata(facts: Facts) -> str:
    """The card's YAML: what the Hub reads."""
    from huggingface_hub import EvalResult, ModelCardData

    valid = facts.data.get("valid", {})
    name = Path(str(valid.get("file") or "held-out data")).name
    tag = named if (named := TAGS.get(facts.task, facts.task)) in PIPELINE_TAGS else None
    results = [
        EvalResult(
            task_type=facts.task, dataset_type=name, dataset_name=name, metric_type=metric, metric_value=round(float(value), 6)
        )
        for metric, value in facts.scores.items()
    ]
    given: dict[str, Any] = {
        "library_name": "sentence-transformers" if tag in OF_SENTENCE_TRANSFORMERS else "transformers",
        "pipeline_tag": tag,
        "tags": ["headway", facts.family, *([] if tag else [facts.task])],
        "base_model": facts.base if is_hub_name(facts.base) else None,
        "metrics": list(facts.scores) or None,
    }
    given |= {"model_name": facts.name, "eval_results": results} if results else {}
    return str(ModelCardData(**given).to_yaml()).strip()


def is_hub_name(name: str | None) -> bool:
    """Whether a model is named as on the Hub, and is no folder here."""
    return name is not None and bool(HUB_NAME.fullmatch(name)) and not Path(name).exists() and name not in shipped_models()


def card(facts: Facts) -> str:
    """The whole card."""
    named = base_name(facts.base)
    base = "" if named is None else f", fine-tuned from `{named}`"
    said = facts.summary or f"A {facts.family} model of {facts.parameters:,} parameters for {facts.task}{base}."
    parts = [f"---\n{metadata(facts)}\n---", MARK, f"# {facts.name}", said, _use(facts), _scores(facts), _data(facts)]
    parts += ["![Loss, learning rate and metrics over steps](curves.png)"] if facts.has_curves else []
    parts += [_training(facts), _files(facts.command)]
    return "\n\n".join(part for part in parts if part) + "\n"


def base_name(base: str | None) -> str | None:
    """The model that training started from by a name that is no place of a machine."""
    return base if base is None or is_hub_name(base) else Path(base).name


def _use(facts: Facts) -> str:
    if facts.task not in task_names():
        return (
            "## Use\n\nIt answers nothing yet: it is what fine-tuning begins with.\n\n```console\n"
            f"$ headway train --model {facts.name} --train FILE --output-dir ANOTHER\n```"
        )
    return (
        "## Use\n\n```python\nfrom headway import pipeline  # transformers' pipeline loads the folder as well\n\n"
        f'answer = pipeline("{facts.task}", model="{facts.name}")\n```'
    )


def _scores(facts: Facts) -> str:
    if not facts.scores:
        return "## Scores\n\nNone were measured: the run had no validation data."
    valid = facts.data.get("valid", {})
    where = f"on {valid['rows']:,} rows of {Path(str(valid['file'])).name}" if valid.get("file") else "on held-out data"
    return f"## Scores\n\nMeasured {where}.\n\n" + _table(
        ("measure", "value"), [(name, f"{value:.4f}") for name, value in facts.scores.items()]
    )


def _data(facts: Facts) -> str:
    rows = [
        (role, Path(str(one.get("file") or "rows in memory")).name, f"{one['rows']:,}", f"`{str(one.get('sha256') or '')[:16]}`")
        for role, one in facts.data.items()
    ]
    text = "## Data\n\n" + _table(("", "file", _unit(facts), "SHA-256, beginning"), rows)
    counts = {role: one.get("labels") or {} for role, one in facts.data.items()}
    labels = list(dict.fromkeys(label for found in counts.values() for label in found))
    if not labels:
        return text
    shown = [(label, *(f"{found.get(label, 0):,}" for found in counts.values())) for label in labels[:MOST_LABELS]]
    return f"{text}\n\n" + _table(("label", *(f"in {role}" for role in counts)), shown)


def _unit(facts: Facts) -> str:
    """What is counted of the data."""
    return next((str(one["unit"]) for one in facts.data.values() if "unit" in one), "rows")


def _training(facts: Facts) -> str:
    chosen = [(name, _cell(value)) for name, value in facts.settings.items() if name not in LEFT_OUT]
    facts_of_run = [(name.replace("_", " "), _cell(value)) for name, value in facts.training.items()]
    machine = [(name, _cell(value)) for name, value in facts.environment.items()]
    parts = [
        ("## Training", ("", "of the run"), facts_of_run),
        ("### Settings", ("setting", "value"), chosen),
        ("### Environment", ("", "version"), machine),
    ]
    return "\n\n".join(f"{title}\n\n{_table(header, rows)}" for title, header, rows in parts if rows)


def _files(command: str) -> str:
    return (
        f"## Files\n\n`settings.toml` repeats the run: `headway {command} --config settings.toml --output-dir ANOTHER`. "
        "`metrics.json`, `data.json`, `environment.json` and `log.jsonl` hold the figures that this card was written from."
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
