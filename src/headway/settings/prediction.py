"""Settings of ``headway predict``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from headway.core.config import Config


@dataclass(frozen=True, kw_only=True)
class PredictSettings(Config):
    """What to answer, with which model, and where the answers go."""

    inputs: tuple[str, ...] = field(default=(), metadata={"positional": True})
    """What to answer: texts, or files (.txt with one text a line, .csv, .tsv, .jsonl, .parquet, perhaps compressed), patterns
    such as 'reviews/*.csv', and - for standard input. A task or a model may stand before them."""

    task: str | None = None
    """The task: sentiment-analysis, ner, fill-mask …; by default what the model was saved for."""

    model: str | None = None
    """A folder, a model that ships with Headway, or a Hub repository; by default the task's usual one."""

    out: Path | None = None
    """Where the answers to files are written, .parquet, .csv or .jsonl; by default they are printed. A command that was killed
    goes on where it was when it is given again."""

    column: tuple[str, ...] = ()
    """The columns that hold what the task reads, by role as in question=q context=text, or a bare name for the first role; by
    default those with usual names (text, sentence, premise …)."""

    keep: tuple[str, ...] | None = None
    """The columns of the input that are written before those of the answers, or none; by default all."""

    format: str | None = None
    """What the inputs are where their names do not say it: lines, csv, tsv, jsonl, parquet …; standard input is lines."""

    strict: bool = False
    """Stop at a row that cannot be answered. Otherwise its column error says why, and the job goes on."""

    restart: bool = False
    """Begin anew where an earlier run of the command was killed."""

    top_k: int | None = None
    """How many answers to give for each text, best first; by default as many as the task gives."""

    max_length: int | None = None
    """Tokens of a text that are read at most; by default as many as the model can."""

    overflow: Literal["truncate", "window", "error"] | None = None
    """What happens to a longer text: its end is left out, it is read in windows, or it is refused; by default as the task
    does."""

    stride: int | None = None
    """How many tokens neighbouring windows share; by default as the task does."""

    options: tuple[str, ...] = ()
    """Further options of the task, as in function_to_apply=none candidate_labels=sports,politics."""

    engine: Literal["auto", "onnx", "torch", "ray"] = "auto"
    """What runs the model; auto is ONNX Runtime on the CPU, and torch for bf16 and GPUs. With ray workers on the machines of a
    cluster do, each as with auto."""

    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    """What the model computes in; auto is int8 where the model's folder has an INT8 file, else fp32."""

    device: str | None = None
    """Where the torch engine runs: cpu, cuda, cuda:1 …"""

    batch_size: int | None = None
    """Bounds the memory of a batch on a GPU, as that many of the longest texts; batches on the CPU are small anyway."""

    threads: int | None = None
    """Threads that compute; by default all cores that this process may use. With --engine ray those of each worker, by default
    4."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""
