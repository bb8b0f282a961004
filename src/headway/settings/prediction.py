"""Settings of ``headway predict``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from headway.core.config import Config


@dataclass(frozen=True, kw_only=True)
class PredictSettings(Config):
    """What to answer, with which model, and where the answers go."""

    texts: tuple[str, ...] = field(default=(), metadata={"positional": True})
    """Texts to answer; ``-`` reads them from standard input, one a line."""

    task: str | None = None
    """The task: sentiment-analysis, fill-mask, feature-extraction …; by default what the model was saved for."""

    model: str | None = None
    """A folder, a model that ships with Headway, or a Hub repository; by default the shipped model for sentiment-analysis."""

    file: Path | None = None
    """Texts from a file: .txt (one a line), .csv, .tsv or .jsonl, each also with .gz or .xz behind it; ``-`` is
    standard input."""

    column: str | None = None
    """The file's column that holds the text; by default the one with a usual name (text, sentence, premise …)."""

    pair_column: str | None = None
    """The file's column that holds the second text of pairs."""

    output: Path | None = None
    """Where the answers are written, .jsonl or .csv; by default they are printed."""

    top_k: int | None = None
    """How many answers to give for each text, best first; by default as many as the task gives."""

    max_length: int | None = None
    """Tokens of a text that are read at most; by default as many as the model can."""

    engine: Literal["auto", "onnx", "torch"] = "auto"
    """What runs the model; auto is ONNX Runtime on the CPU, and torch for bf16 and GPUs."""

    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    """What the model computes in; auto is int8 where the model's folder has an INT8 file, else fp32."""

    device: str | None = None
    """Where the torch engine runs: cpu, cuda, cuda:1 …"""

    batch_size: int | None = None
    """Bounds the memory of a batch on a GPU, as that many of the longest texts; batches on the CPU are small anyway."""

    threads: int | None = None
    """Threads that compute; by default all cores that this process may use."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""
