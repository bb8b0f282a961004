"""How good the models that ship are, each on its validation set, as shipped and before INT8; and how large they are together.

    python benchmarks/shipped.py --data DATA --fp32 WORK

DATA holds ``glue/sst2/validation.jsonl``, ``glue/stsb/validation.jsonl``, ``conll2003/validation.txt``, ``squad/dev-v1.1.json``
and ``corpus/wikipedia-1.txt.xz``; WORK the fine-tuned models under the names that they ship with, such as WORK/ner (without it,
or without one of them, INT8 alone is measured). Each model's figures are a file of results of their own, which its card shows
(``scripts/docs``); those of models that were not measured this time stay. ``--only ner questions`` measures some of them.
"""

import argparse
import json
import lzma
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from measuring import RESULTS, write_result

import headway
from headway.checkpoints import shipped_models, shipped_parts
from headway.evaluation.bootstrap import intervals

COMMAND = "python benchmarks/shipped.py --data DATA --fp32 WORK"
MIB = 2**20
MASKED_TEXTS = 2000


@dataclass(frozen=True)
class Found:
    """A model's measures in percent, by name, between which values each lies with 95 % confidence, and of how many rows."""

    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    rows: int


@dataclass(frozen=True)
class Set:
    """What a model is measured on, and the names of its measures, the one with a goal first."""

    title: str
    measures: dict[str, str]
    measure: Callable[..., Found]


def evaluated(model: str, rows: Any, *, limit: int | None, **how: Any) -> Found:
    """A model's answers measured by ``headway.evaluate``."""
    report = headway.evaluate(model, rows, limit=limit, progress=True, **how)
    percent = lambda value: 100 * value  # noqa: E731
    return Found(
        {name: percent(value) for name, value in report.scores.items()},
        {name: (percent(low), percent(high)) for name, (low, high) in report.intervals.items()},
        report.rows,
    )


def sentiment(data: Path, model: str, *, limit: int | None, precision: str) -> Found:
    """Accuracy on SST-2."""
    return evaluated(model, data, glue="sst2", limit=limit, precision=precision)


def entities(data: Path, model: str, *, limit: int | None, precision: str) -> Found:
    """F1 of entities on CoNLL-2003."""
    rows = data / "conll2003" / "validation.txt"
    return evaluated(model, rows, task="token-classification", limit=limit, precision=precision)


def likeness(data: Path, model: str, *, limit: int | None, precision: str) -> Found:
    """How the cosines of vectors rank the pairs of STS-B."""
    return evaluated(model, data, glue="stsb", task="sentence-similarity", limit=limit, precision=precision)


def answers(data: Path, model: str, *, limit: int | None, precision: str) -> Found:
    """F1 of words and exact match on SQuAD 1.1."""
    rows = data / "squad" / "dev-v1.1.json"
    return evaluated(model, rows, task="question-answering", limit=limit, precision=precision)


def masks(data: Path, model: str, *, limit: int | None, precision: str) -> Found:
    """How often the word behind a mask is the likeliest, or one of the five likeliest."""
    import numpy as np

    fill = headway.pipeline("fill-mask", model, precision=precision, top_k=5)
    with lzma.open(data / "corpus" / "wikipedia-1.txt.xz", "rt", encoding="utf-8") as lines:
        asked = list(islice(masked(lines, fill.tokenizer), limit or MASKED_TEXTS))
    found = fill([text for text, _ in asked])
    table = np.array(
        [
            [word == fillings[0]["token_str"], word in {filling["token_str"] for filling in fillings}]
            for fillings, (_, word) in zip(found, asked, strict=True)
        ]
    )
    scores = lambda rows: dict(zip(("top_1", "top_5"), (100 * rows.mean(axis=0)).tolist(), strict=True))  # noqa: E731
    return Found(scores(table), intervals(table, scores, confidence=0.95, resamples=1000, seed=0, progress=False), len(asked))


def masked(lines: Iterable[str], tokenizer: Any) -> Iterator[tuple[str, str]]:
    """Paragraphs of 20 to 80 words with one word masked, drawn from those that are a single piece; and that word."""
    draw = random.Random(0)
    for line in lines:
        words = list(re.finditer(r"\b[A-Za-z]+\b", line))
        if not 20 <= len(line.split()) <= 80 or not words or draw.random() > 0.2:
            continue
        word = draw.choice(words)
        pieces = tokenizer.tokenize(word[0])
        if len(pieces) == 1 and pieces[0] != tokenizer.unk_token:
            yield f"{line[: word.start()]}{tokenizer.mask_token}{line[word.end() :].rstrip()}", pieces[0]


SETS = {
    "sentiment": Set(
        "{rows} sentences of SST-2's validation set", {"accuracy": "accuracy, %", "macro_f1": "macro F1, %"}, sentiment
    ),
    "ner": Set(
        "{rows} sentences of CoNLL-2003's validation set",
        {"f1": "F1 of entities, %", "precision": "precision, %", "recall": "recall, %"},
        entities,
    ),
    "embeddings": Set(
        "{rows} pairs of STS-B's validation set",
        {"spearman": "Spearman of cosines, %", "pearson": "Pearson, %"},
        likeness,
    ),
    "questions": Set(
        "{rows} questions of SQuAD 1.1's development set", {"f1": "F1 of words, %", "exact_match": "exact match, %"}, answers
    ),
    "fill-mask": Set(
        "{rows} words of Wikipedia articles that it has not read",
        {"top_1": "right, %", "top_5": "among the first five, %"},
        masks,
    ),
}


def result_name(name: str) -> str:
    """What the file of a model's results is called."""
    return f"shipped_{name.replace('-', '_')}"


def measured(name: str, data: Path, fp32: Path | None, *, limit: int | None) -> dict[str, Any]:
    """A model's results, in both precisions where its weights are there."""
    what = SETS[name]
    shipped = what.measure(data, name, limit=limit, precision="int8")
    rows = [["INT8, as shipped", *(f"{shipped.scores[measure]:.2f}" for measure in what.measures)]]
    rows.append(["95 % of resamples", *("{:.1f} to {:.1f}".format(*shipped.intervals[measure]) for measure in what.measures)])
    if fp32 is not None and (fp32 / name / "config.json").is_file():
        exact = what.measure(data, str(fp32 / name), limit=limit, precision="fp32")
        rows.append(["fp32, before export", *(f"{exact.scores[measure]:.2f}" for measure in what.measures)])
    else:
        print(f"{name}: no weights in {fp32 and fp32 / name}, so fp32 is not measured")
    return {
        "title": f"{name} on {what.title.format(rows=format(shipped.rows, ','))}",
        "command": f"{COMMAND} --only {name}" + (f" --limit {limit}" if limit else ""),
        "columns": ["form", *what.measures.values()],
        "rows": rows,
        "folder_mib": round(size(shipped_models()[name]), 2),
    }


def size(folder: Path) -> float:
    """MiB of a folder's files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / MIB


def together() -> dict[str, Any]:
    """The models that are there, a line each, with what was measured of them; and what they weigh."""
    rows, folders = [], {**shipped_models(), **shipped_parts()}
    for name, folder in folders.items():
        path = RESULTS / f"{result_name(name)}.json"
        result = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        rows.append([f"`{name}`", *(summary(result) if result else ["", "", "", ""]), f"{size(folder):.1f}"])
    rows.append(["together", "", "", "", "", f"{sum(map(size, folders.values())):.1f}"])
    return {
        "title": "The models that ship, on validation sets",
        "command": COMMAND,
        "columns": ["model", "measured on", "what", "INT8, as shipped", "fp32", "MiB"],
        "rows": rows,
    }


def summary(result: dict[str, Any]) -> list[str]:
    """What one model was measured on, the first of its measures, and what was found of it in both forms."""
    found = {form: values for form, *values in result["rows"]}
    exact = found.get("fp32, before export", [""])[0]
    return [result["title"].partition(" on ")[2], result["columns"][1], found["INT8, as shipped"][0], exact]


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fp32", type=Path)
    parser.add_argument("--only", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    for name in options.only:
        if name not in shipped_models():
            print(f"{name} is not in this installation, so it is not measured")
            continue
        result = measured(name, options.data, options.fp32, limit=options.limit)
        print(*([result["title"], result["columns"], *result["rows"]]), sep="\n")
        write_result(result_name(name), result)
    write_result("shipped", together())


if __name__ == "__main__":
    main()
