"""The sets of GLUE: what their numbers mean, what is measured, and where their rows are. Wang et al., 2018, arXiv:1804.07461."""

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core.config import nearest
from headway.errors import ConfigError, DataError, MissingExtraError

SUFFIXES = (".jsonl", ".parquet", ".csv", ".tsv", ".json", ".jsonl.gz", ".jsonl.xz")
NLI = ("entailment", "neutral", "contradiction")
IN_THE_HUB = "nyu-mll/glue"


@dataclass(frozen=True, kw_only=True)
class GlueSet:
    """One set, and what its numbers are called. Its columns have usual names."""

    labels: tuple[str, ...] = ()
    """The labels' names; none where the reference is a number."""
    official: tuple[str, ...] = ("accuracy",)
    """The measures that the benchmark reports."""
    task: str | None = "text-classification"
    """What does it unless a task is named; None is whatever the model was saved for."""
    folder: str
    """What the set is called in the Hub, and its folder."""
    split: str = "validation"


GLUE: Mapping[str, GlueSet] = {
    "cola": GlueSet(folder="cola", labels=("unacceptable", "acceptable"), official=("matthews_correlation",)),
    "mnli": GlueSet(folder="mnli", labels=NLI, split="validation_matched"),
    "mnli_mismatched": GlueSet(folder="mnli", labels=NLI, split="validation_mismatched"),
    "mrpc": GlueSet(folder="mrpc", labels=("not_equivalent", "equivalent"), official=("accuracy", "f1")),
    "qnli": GlueSet(folder="qnli", labels=("entailment", "not_entailment")),
    "qqp": GlueSet(folder="qqp", labels=("not_duplicate", "duplicate"), official=("accuracy", "f1")),
    "rte": GlueSet(folder="rte", labels=("entailment", "not_entailment")),
    "sst2": GlueSet(folder="sst2", labels=("negative", "positive"), task="sentiment-analysis"),
    "stsb": GlueSet(folder="stsb", official=("pearson", "spearman"), task=None),
    "wnli": GlueSet(folder="wnli", labels=("not_entailment", "entailment")),
}


def glue_set(name: str) -> GlueSet:
    """The set of this name, whatever its case and hyphens; ``mnli-mm`` is the other half of MNLI."""
    plain = name.lower().replace("-", "").replace("_", "")
    found = next((key for key in GLUE if plain == key.replace("_", "") or (plain, key) == ("mnlimm", "mnli_mismatched")), None)
    if found is None:
        raise ConfigError(f"GLUE has no set {name!r} whose labels are known.{nearest(name, set(GLUE))}")
    return GLUE[found]


def find_rows(name: str, place: Any, *, split: str | None = None) -> Any:
    """The file of a set's validation rows in a folder, or the rows themselves through ``datasets`` where no folder is named.

    The folder is GLUE's own, one that holds it, or the set's. A file, or rows in memory, stay what they are. ``split`` asks for
    other rows, such as ``"train"``.
    """
    found = glue_set(name)
    folder, split = found.folder, split or found.split
    if place is not None and not isinstance(place, str | Path):
        return place
    if place is None:
        return _from_hub(name, folder, split)
    path = Path(place)
    if path.is_file():
        return path
    candidates = [path / "glue" / folder, path / folder, path]
    for candidate in candidates:
        if file := _file(candidate, split):
            return file
    raise DataError(
        f"{path} holds no {split.partition('_')[0]} rows of GLUE's {name}: none of {', '.join(map(str, candidates))} has a file "
        f"{split}.jsonl, .parquet, .csv or .tsv. Name the folder that does, or the file."
    )


def _file(folder: Path, split: str) -> Path | None:
    """The file of a split; several that could be it are refused."""
    for stem in (split, split.partition("_")[0]):
        exact = [folder / f"{stem}{suffix}" for suffix in SUFFIXES if (folder / f"{stem}{suffix}").is_file()]
        found = exact[:1] or sorted(
            file
            for suffix in SUFFIXES
            for file in folder.glob(f"{stem}[-_]*{suffix}")
            if stem == split or "matched" not in file.name
        )
        if len(found) > 1:
            raise DataError(
                f"{folder} has several files that may be the split {split}: {', '.join(file.name for file in found)}. Name the "
                "one that is meant instead of the folder."
            )
        if found:
            return found[0]
    return None


def _from_hub(name: str, folder: str, split: str) -> Iterable[Any]:
    if importlib.util.find_spec("datasets") is None:
        raise MissingExtraError(
            f"GLUE's {name} does not come with Headway. Name a folder that holds glue/{folder}/{split}.jsonl (or .parquet, .csv, "
            ".tsv) behind the model, or install what downloads it: pip install datasets."
        )
    import datasets

    try:
        rows: Iterable[Any] = datasets.load_dataset(IN_THE_HUB, folder, split=split)
    except OSError as error:
        raise DataError(
            f"GLUE's {name} is neither named nor to be had from {IN_THE_HUB} in the Hub: {error}. Name a folder that holds "
            f"glue/{folder}/{split}.jsonl (or .parquet, .csv, .tsv) behind the model, or connect to the network."
        ) from error
    return rows
