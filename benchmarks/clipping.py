"""Answers and speed of signed 8-bit weights, on a processor that clips their sums, and of unsigned ones.

    python benchmarks/clipping.py --data DATA

DATA holds ``glue/sst2/validation.jsonl``; the model is the shipped ``sentiment``. On a processor with VNNI or on ARM there is
nothing to see: both forms give the same answers.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import System, median_ratio, rounds, write_result

FORMS = {"signed, as written": False, "unsigned (Headway)": True}


def made(exact: bool) -> Callable[[list[str]], Any]:
    """The pipeline, with the graph as it is written or in the form whose sums are exact on any processor."""
    from headway import pipeline
    from headway.graph import clipping

    clipping.sums_are_clipped = lambda: exact
    ready: Any = pipeline("text-classification", model="sentiment", function_to_apply="none", top_k=None)
    return lambda texts: ready(texts)


def logits(exact: bool, texts: list[str]) -> list[dict[str, float]]:
    """Each text's logits by label."""
    return [{one["label"]: one["score"] for one in found} for found in made(exact)(texts)]


def largest_error(found: list[dict[str, float]], exact: list[dict[str, float]]) -> float:
    """Of all logits the one that is furthest from what it should be, as a share of the largest one."""
    largest = max(abs(score) for scores in exact for score in scores.values())
    return max(abs(ours[label] - scores[label]) for ours, scores in zip(found, exact, strict=True) for label in scores) / largest


def main() -> None:
    """Measure both forms in one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    lines = (arguments.data / "glue" / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    texts = [row["sentence"] for row in rows]
    found = {form: logits(exact, texts) for form, exact in FORMS.items()}
    systems = [System(form, made, exact, items=texts * 3) for form, exact in FORMS.items()]
    times = rounds(systems, arguments.rounds)
    for system in systems:
        system.close()
    table = []
    for form, answers in found.items():
        chosen = [max(scores, key=scores.__getitem__) for scores in answers]
        right = sum(label == ("NEGATIVE", "POSITIVE")[row["label"]] for label, row in zip(chosen, rows, strict=True))
        wrong = largest_error(answers, found["unsigned (Headway)"])
        speed = median_ratio(times["signed, as written"], times[form])
        table.append([form, f"{100 * right / len(rows):.2f}", f"{100 * wrong:.1f}", f"{speed:.2f}×"])
    write_result(
        "clipping",
        {
            "title": f"The shipped `sentiment` model on {len(texts)} sentences of SST-2, on a processor without VNNI",
            "command": "python benchmarks/clipping.py --data DATA",
            "columns": ["weights", "accuracy, %", "largest error of a logit, % of the largest one", "speed"],
            "rows": table,
            "seconds": times,
        },
    )


if __name__ == "__main__":
    main()
