"""How good the shipped sentiment model is: accuracy on the SST-2 validation set, as shipped and before INT8.

    python benchmarks/shipped_sentiment.py --data DATA --fp32 FOLDER

DATA holds ``glue/sst2/validation.jsonl``; FOLDER is the fine-tuned model that was exported. The figures are also
written into the model's card, between its marks.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from measuring import write_result

from headway import pipeline
from headway.checkpoints import locate
from headway.tasks.metrics import classification_metrics

BLOCK = re.compile(r"(<!-- scores -->\n).*?(<!-- end -->)", re.DOTALL)


def evaluate(rows: list[dict[str, Any]], model: str, **options: Any) -> tuple[dict[str, float], list[str]]:
    """Accuracy and macro F1 in percent, and each row's label."""
    import numpy as np

    classify = pipeline("sentiment-analysis", model=model, **options)
    labels = [answer["label"] for answer in classify([row["sentence"] for row in rows])]
    chosen = np.eye(2)[[int(label == "POSITIVE") for label in labels]]
    found = classification_metrics(chosen, np.array([row["label"] for row in rows]))
    return {name: 100 * value for name, value in found.items()}, labels


def main() -> None:
    """Measure, print, keep, and write the card's figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fp32", required=True)
    options = parser.parse_args()
    lines = (options.data / "glue" / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    shipped, small = evaluate(rows, "sentiment")
    full, large = evaluate(rows, options.fp32, precision="fp32")
    agreement = 100 * sum(a == b for a, b in zip(small, large, strict=True)) / len(rows)
    folder = locate("sentiment")
    megabytes = sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 2**20
    result = {
        "title": f"The shipped sentiment model on the {len(rows)} SST-2 validation sentences",
        "command": "python benchmarks/shipped_sentiment.py --data DATA --fp32 FOLDER",
        "columns": ["form", "accuracy, %", "macro F1, %"],
        "rows": [
            ["INT8, as shipped", f"{shipped['accuracy']:.2f}", f"{shipped['f1']:.2f}"],
            ["fp32, before export", f"{full['accuracy']:.2f}", f"{full['f1']:.2f}"],
            ["same label in both", f"{agreement:.2f}", ""],
        ],
        "folder_mib": round(megabytes, 2),
    }
    table = "".join("| " + " | ".join(row) + " |\n" for row in [result["columns"], ["---"] * 3, *result["rows"]])
    print(table)
    write_result("shipped_sentiment", result)
    card = folder / "README.md"
    said = f"{table}\n`{result['command']}`; the folder takes {megabytes:.1f} MiB.\n"
    page = card.read_text(encoding="utf-8")
    card.write_text(BLOCK.sub(lambda found: f"{found[1]}\n{said}\n{found[2]}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
