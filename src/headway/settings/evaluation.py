"""Settings of ``headway evaluate``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from headway.core.config import Config


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(Config):
    """Which model's answers to measure, on which rows, and how."""

    model: str | None = field(default=None, metadata={"positional": True})
    """A folder, a model that ships with Headway, or a Hub repository; by default the shipped one where it does the task."""

    data: Path | None = field(default=None, metadata={"positional": True})
    """Labelled rows: .csv, .tsv, .jsonl or .parquet, a SQuAD file (.json) or a CoNLL file (.txt), perhaps compressed; with --glue
    the folder that holds the set."""

    task: str | None = None
    """The task; by default what the model was saved for."""

    glue: str | None = None
    """A set of GLUE by name (sst2, cola, mrpc, stsb …), which says what its labels are called and what is measured; its rows are
    in the folder DATA as glue/NAME/validation.jsonl, or come through the library datasets."""

    column: tuple[str, ...] = ()
    """Columns by what they hold, as in text=review label=stars; by default those with usual names."""

    labels: tuple[str, ...] = ()
    """Which of the model's labels each of the data's is, as in 0=entailment 1=neutral; by default by name, else by number."""

    options: tuple[str, ...] = ()
    """Options of the task, as in overflow=window function_to_apply=none."""

    limit: int | None = None
    """Rows that are measured at most."""

    worst: int = 0
    """How many of the worst mistakes to show."""

    confidence: float = 0.95
    """The share of bootstrap's resamples that lie inside an interval."""

    resamples: int = 1000
    """How often bootstrap draws the rows anew; 0 for no intervals."""

    seed: int = 0
    """What decides which rows bootstrap draws."""

    out: Path | None = None
    """A .json file for all that was found, with the settings and the data's hash."""

    engine: Literal["auto", "onnx", "torch"] = "auto"
    """What runs the model; auto is ONNX Runtime on the CPU, and torch for bf16 and GPUs."""

    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    """What the model computes in; auto is int8 where the model's folder has an INT8 file, else fp32."""

    device: str | None = None
    """Where the torch engine runs: cpu, cuda, cuda:1 …"""

    batch_size: int | None = None
    """Texts computed together at most; by default decided from their lengths."""

    max_length: int | None = None
    """Tokens of a text that are read at most; by default as many as the model can."""

    threads: int | None = None
    """Threads that compute; by default all cores that this process may use."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""
