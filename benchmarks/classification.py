"""Classify real sentences with a model of BERT-base's size: Headway in INT8 and fp32 beside transformers' pipeline.

    python benchmarks/classification.py --data DATA

DATA holds ``glue/sst2/validation.jsonl`` and ``vocab/bert-base-uncased/vocab.txt``. All systems run the same weights, which are
random: speed does not depend on them. Each has a process of its own; they take turns within one run. Behind a rate stands its
share of the machine's best matrix products, as in ``tasks.py``.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import System, gigaflops, int8_gigaops, median_ratio, operations, rate_and_share, rounds, write_result


def make_model(folder: Path, data: Path) -> None:
    """A classifier of BERT-base's size with random weights and BERT's vocabulary, as transformers saves it."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(num_labels=2)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = transformers.BertTokenizerFast(vocab_file=str(data / "vocab" / "bert-base-uncased" / "vocab.txt"))
    tokenizer.save_pretrained(folder)


def transformers_default(folder: str) -> Callable[[list[str]], Any]:
    """The pipeline as people call it."""
    from transformers import pipeline

    return pipeline("text-classification", model=folder)


def transformers_tuned(folder: str) -> Callable[[list[str]], Any]:
    """The best that its options give here: bfloat16, batches of 32, texts sorted by hand."""
    import torch
    from transformers import pipeline

    classify = pipeline("text-classification", model=folder, dtype=torch.bfloat16)
    return lambda texts: classify(sorted(texts, key=len), batch_size=32)


def headway(folder: str, precision: str) -> Callable[[list[str]], Any]:
    """The pipeline as people call it, in one precision."""
    from headway import pipeline

    return pipeline("text-classification", model=folder, precision=precision)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lines = (options.data / "glue" / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["sentence"] for line in lines]
    with tempfile.TemporaryDirectory() as name:
        make_model(Path(name), options.data)
        peaks = {"fp32": gigaflops(), "INT8": int8_gigaops()}
        systems = [
            System("transformers", transformers_default, name, items=texts),
            System("transformers, bf16, sorted, batches of 32", transformers_tuned, name, items=texts),
            System("Headway fp32", headway, name, "fp32", items=texts),
            System("Headway INT8", headway, name, "int8", items=texts),
        ]
        times = rounds(systems, options.rounds)
        for system in systems:
            system.close()
        each = operations("text-classification", name, texts, {}) / len(texts)
    base, rows = times["transformers"], []
    for system, seconds in times.items():
        rate = len(texts) / statistics.median(seconds)
        peak = peaks["INT8" if system.endswith("INT8") else "fp32"]
        shown = f"{rate:.0f}" if "bf16" in system else rate_and_share(rate, each, peak)
        rows.append([system, shown, f"{median_ratio(base, seconds):.1f}×"])
    result = {
        "title": f"Classifying the {len(texts)} SST-2 validation sentences, BERT-base size",
        "command": "python benchmarks/classification.py --data DATA",
        "columns": ["system", "texts/s (of the peak)", "against transformers"],
        "rows": rows,
        "seconds": times,
        "fp32_matrix_product_gigaflops": round(peaks["fp32"]),
        "int8_matrix_product_gigaops": round(peaks["INT8"]),
    }
    for row in rows:
        print(*row, sep="\t")
    write_result("classification", result)


if __name__ == "__main__":
    main()
