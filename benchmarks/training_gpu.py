"""Fine-tune BERT-base on texts of IMDB's lengths on a GPU in bf16: Headway's Trainer beside transformers', and out of memory.

    python benchmarks/attention_gpu.py lengths --data DATA --out lengths.json      # anywhere: how long IMDB's texts are
    python benchmarks/training_gpu.py --lengths lengths.json [--minutes 8]

The second command needs nothing but the repository, torch and transformers. It keeps what it has measured in
``results/training_gpu.json`` after every part and begins none for which no time is left; called again, it goes on with the parts
that are missing. A part that fails is recorded with its reason. Weights and ids are random, only lengths are real: speed does not
depend on them. Each system trains once to warm up; then all take turns. ``--device cpu --tiny`` tries it out.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from attention import needed
from attention_gpu import BASE, TINY, peak
from measuring import RESULTS, write_result

NAME = "training_gpu"
BATCH, TEXTS, ROUNDS, LABELS = 32, 8192, 3, 2
WARM_UP = 20
"""Batches of it."""
BYTES_A_TOKEN = 250_000
"""Far below what a token of BERT-base takes in training, so that a batch of this measure fits into no memory."""
FAILURES = (ImportError, RuntimeError, ValueError, TypeError, AttributeError, OSError)
SYSTEMS = {
    "transformers": ("transformers", {}),
    "transformers, by length": ("transformers", {"by_length": True}),
    "Headway": ("headway", {}),
    "Headway, compiled": ("headway", {"torch_compile": True}),
}
"""All of them in bf16. The first is what the goals are measured against."""

Train = Callable[[list[dict[str, Any]]], Any]


def sizes_of(*, tiny: bool) -> dict[str, Any]:
    """BERT-base's sizes, or tiny ones."""
    return BASE | (TINY if tiny else {})


def make_rows(lengths: list[int], vocabulary: int) -> list[dict[str, Any]]:
    """Random texts of these lengths, each with a random label."""
    draw = Random(0)
    return [{"input_ids": draw.choices(range(5, vocabulary), k=length), "labels": draw.randrange(LABELS)} for length in lengths]


def headway(sizes: dict[str, Any], folder: str, device: str, *, dropout: float = 0.1, **settings: Any) -> Train:
    """Our Trainer on a new model, which is the same one each time."""
    import torch

    from headway import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    torch.manual_seed(0)
    model = BertForSequenceClassification.from_config(BertConfig(num_labels=LABELS, **sizes, **rates))
    usual = {"num_train_epochs": 1, "per_device_train_batch_size": BATCH, "save_strategy": "no", "bf16": True}
    arguments = TrainingArguments(folder, use_cpu=device == "cpu", **usual | settings)

    def train(rows: list[dict[str, Any]]) -> Any:
        trainer = Trainer(model, arguments, train_dataset=rows, progress=False)
        trainer.train()
        return trainer

    return train


def transformers(sizes: dict[str, Any], folder: str, device: str, *, by_length: bool = False) -> Train:
    """The Trainer of transformers on a new model, with sdpa; each batch is padded to its longest text."""
    import inspect

    import torch
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    model = BertForSequenceClassification._from_config(BertConfig(num_labels=LABELS, **sizes), attn_implementation="sdpa")
    known = inspect.signature(TrainingArguments).parameters
    grouped = {"group_by_length": True} if "group_by_length" in known else {"train_sampling_strategy": "group_by_length"}
    arguments = TrainingArguments(
        folder, num_train_epochs=1, per_device_train_batch_size=BATCH, save_strategy="no", report_to="none", disable_tqdm=True,
        bf16=True, use_cpu=device == "cpu", **(grouped if by_length else {}),
    )  # fmt: skip

    def padded(rows: list[dict[str, Any]]) -> dict[str, Any]:
        longest = max(len(row["input_ids"]) for row in rows)
        ids = [row["input_ids"] + [0] * (longest - len(row["input_ids"])) for row in rows]
        mask = [[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows]
        found = {"input_ids": ids, "attention_mask": mask, "labels": [row["labels"] for row in rows]}
        return {name: torch.tensor(values) for name, values in found.items()}

    return lambda rows: Trainer(model, arguments, train_dataset=rows, data_collator=padded).train()


def synchronise(device: str) -> None:
    """Wait until the GPU has done all that it was given."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


class Part:
    """What is measured in one go, kept as soon as it is there; a second call passes over it."""

    def __init__(self, minutes: float, device: str) -> None:
        self.path = RESULTS / f"{NAME}.json"
        self.end, self.device = time.monotonic() + 60 * minutes, device
        self.found: dict[str, Any] = json.loads(self.path.read_text())["measured"] if self.path.is_file() else {}

    def run(self, name: str, measure: Callable[[], dict[str, Any]]) -> None:
        """Measure it, unless it was measured before or no time is left."""
        if name in self.found and "failed" not in self.found[name]:
            return
        if time.monotonic() > self.end:
            print(f"No time is left for: {name}", flush=True)
            return
        try:
            self.found[name] = measure()
        except FAILURES as error:
            self.found[name] = {"failed": f"{type(error).__name__}: {error}"[:500]}
        print(name, self.found[name], flush=True)
        self.keep()

    def keep(self) -> None:
        """Write what there is, with the table that follows from it."""
        write_result(NAME, {**table(self.found), "measured": self.found})


def table(found: dict[str, Any]) -> dict[str, Any]:
    """The systems side by side, as far as they were measured."""
    rows, facts = [], found.get("device", {})
    for system in SYSTEMS:
        times, peers = seconds_of(found, system), seconds_of(found, "transformers")
        if not times or not facts:
            continue
        middle, ratios = statistics.median(times.values()), [peers[at] / own for at, own in times.items() if at in peers]
        share = facts["operations"] / middle / 1e12 / facts["bf16_matrix_product_teraflops"]
        peak_memory = f"{found.get(f'{system}, round 0', {}).get('peak_gigabytes', 0):.1f}"
        rows.append([
            system, f"{facts['texts'] / middle:.0f}", f"{facts['tokens'] / middle:.0f}", f"{100 * share:.0f} %",
            f"{statistics.median(ratios):.1f}×" if ratios else "", peak_memory,
        ])  # fmt: skip
    return {
        "title": f"Fine-tuning BERT-base on texts of IMDB's lengths, bf16, batches of {BATCH}",
        "command": "python benchmarks/training_gpu.py --lengths lengths.json",
        "device": facts.get("name"),
        "columns": ["system", "texts/s", "tokens/s", "of the matrix-product peak", "against transformers", "peak memory, GB"],
        "rows": rows,
    }


def seconds_of(found: dict[str, Any], system: str) -> dict[int, float]:
    """What each round took that was measured."""
    rounds = {number: found.get(f"{system}, round {number}", {}) for number in range(ROUNDS)}
    return {number: one["seconds"] for number, one in rounds.items() if "seconds" in one}


def timed(train: Train, rows: list[dict[str, Any]], device: str) -> dict[str, Any]:
    """Seconds of one training, and the most memory that it took."""
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    synchronise(device)
    start = time.perf_counter()
    train(rows)
    synchronise(device)
    found = {"seconds": time.perf_counter() - start}
    return found | ({"peak_gigabytes": torch.cuda.max_memory_allocated() / 1e9} if device == "cuda" else {})


def facts_of(lengths: list[int], sizes: dict[str, Any], device: str) -> dict[str, Any]:
    """The device, its matrix products measured now, and how much work a round is."""
    import torch

    return {
        "name": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "bf16_matrix_product_teraflops": peak(device),
        "operations": 3 * needed("bert", lengths, sizes),
        "texts": len(lengths),
        "tokens": sum(lengths),
    }


def out_of_memory(sizes: dict[str, Any], folder: Path, device: str, *, tiny: bool) -> dict[str, Any]:
    """Two steps on a batch that no memory holds, and the same two steps with small batches: losses, and what was found to fit.

    Both learn all rows in each step, without dropout, so that losses are the same. ``failures`` counts how often memory did not
    suffice: once for each halving in the first step, and not again in the second.
    """
    import torch

    length, small = (23, 2) if tiny else (512, 64)
    room = 50 * length * BYTES_A_TOKEN if tiny else torch.cuda.get_device_properties(0).total_memory
    count = max(small, room // (length * BYTES_A_TOKEN) // small * small)
    rows = make_rows([length] * count, sizes["vocab_size"])
    steps = {"max_steps": 2, "logging_steps": 1, "dropout": 0.0, "learning_rate": 1e-5, "lr_scheduler_type": "constant"}
    expected = headway(sizes, str(folder / "small"), device, per_device_train_batch_size=small,
                       gradient_accumulation_steps=count // small, **steps)(rows)  # fmt: skip
    train = headway(sizes, str(folder / "large"), device, per_device_train_batch_size=count, **steps)
    with bounded(device, most=room // BYTES_A_TOKEN // 3) as failures:
        found = train(rows)
    history = found.state.log_history
    return {
        "texts of a batch": count,
        "tokens of a batch": count * length,
        "failures": failures(),
        "tokens at once that were found to fit": [entry["max_tokens"] for entry in history if "max_tokens" in entry],
        "losses": [entry["loss"] for entry in history if "loss" in entry],
        "losses with small batches": [entry["loss"] for entry in expected.state.log_history if "loss" in entry],
    }


class bounded:  # noqa: N801  used as a context manager
    """Counts how often memory did not suffice; on a CPU, where that is only tried out, more than so many tokens do not."""

    def __init__(self, device: str, *, most: int) -> None:
        self.device, self.most, self.count = device, most, 0

    def __enter__(self) -> Callable[[], int]:
        import torch

        from headway.neural.model import EncoderModel

        if self.device == "cuda":
            torch.cuda.empty_cache()
            before = torch.cuda.memory_stats()["num_ooms"]
            return lambda: int(torch.cuda.memory_stats()["num_ooms"] - before)
        self.real = EncoderModel.encode

        def encode(model: Any, packed: Any) -> Any:
            if packed.tokens > self.most:
                self.count += 1
                raise torch.OutOfMemoryError(f"{packed.tokens} tokens are more than {self.most}")
            return self.real(model, packed)

        EncoderModel.encode = encode  # type: ignore[method-assign]
        return lambda: self.count

    def __exit__(self, *error: object) -> None:
        from headway.neural.model import EncoderModel

        if self.device != "cuda":
            EncoderModel.encode = self.real  # type: ignore[method-assign]


def main() -> None:
    """Measure what is missing, as long as time is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    options = parser.parse_args()
    sizes, part, device = sizes_of(tiny=options.tiny), Part(options.minutes, options.device), options.device
    real = json.loads(options.lengths.read_text())["IMDB"]
    lengths = Random(1).choices([min(length, 40) for length in real] if options.tiny else real, k=96 if options.tiny else TEXTS)
    rows = make_rows(lengths, sizes["vocab_size"])
    part.run("device", lambda: facts_of(lengths, sizes, device))
    made: dict[str, Train] = {}
    with tempfile.TemporaryDirectory() as name:

        def measured(system: str) -> dict[str, Any]:
            if system not in made:
                kind, settings = SYSTEMS[system]
                train = {"headway": headway, "transformers": transformers}[kind](sizes, f"{name}/{system}", device, **settings)
                train(rows[: WARM_UP * BATCH])
                made[system] = train
            return timed(made[system], rows, device)

        for system in options.systems:
            part.run(f"{system}, round 0", lambda system=system: measured(system))  # type: ignore[misc]
        part.run("out of memory", lambda: out_of_memory(sizes, Path(name), device, tiny=options.tiny))
        for number in range(1, ROUNDS):
            for system in options.systems:
                part.run(f"{system}, round {number}", lambda system=system: measured(system))  # type: ignore[misc]
    print(*("\t".join(row) for row in table(part.found)["rows"]), sep="\n")


if __name__ == "__main__":
    main()
