"""Encode and learn on a GPU in bf16 at the published sizes: Headway's packed modules beside transformers, as a share of the peak.

    python benchmarks/attention_gpu.py lengths --data DATA --out lengths.json    # anywhere: how long IMDB's texts are
    python benchmarks/attention_gpu.py measure --lengths lengths.json --out attention_gpu.json [--minutes 8]

The second command needs nothing but the repository, torch and transformers. It writes its result after every case and stops
before a case for which no time is left; given the file again, it goes on with the cases that are missing. Weights and ids are
random, only lengths are real. ``--device cpu --tiny`` tries it out. DeBERTa runs through plain products and through the Triton
kernel.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attention import DEBERTA, FAMILIES, LONGEST, needed, text_lengths

Run = Callable[[list[list[int]]], Any]
VOCABULARY = 30522
BASE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
}
TINY = {"vocab_size": 301, "hidden_size": 64, "num_hidden_layers": 3, "intermediate_size": 96, "num_attention_heads": 4}
SETTINGS: dict[str, dict[str, Any]] = {
    "bert": {},
    "deberta-v2": DEBERTA | {"position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": True},
    "modernbert": FAMILIES["modernbert"] | {"intermediate_size": 1152, "num_hidden_layers": 22},
}
"""What the families add to the sizes: BERT-base, DeBERTa-v3-base, ModernBERT-base, all with BERT's vocabulary."""

TEXTS, TEXTS_OF_A_BATCH, SHORTEST_RUN = 256, 64, 2.0
SYSTEMS = {
    "bert": ("Headway", "transformers sdpa", "transformers flash_attention_2"),
    "deberta-v2": ("Headway", "Headway, Triton", "transformers eager"),
    "modernbert": ("Headway", "transformers sdpa", "transformers flash_attention_2"),
}


def settings_of(family_name: str, *, tiny: bool) -> dict[str, Any]:
    """The sizes of a family's model."""
    sizes = BASE | SETTINGS[family_name]
    return sizes | TINY if tiny else sizes | {"num_attention_heads": BASE["num_attention_heads"]}


def headway(family_name: str, sizes: dict[str, Any], device: str) -> tuple[Any, Run]:
    """Our model, and a pass over one batch of texts."""
    from headway.core.batching import TokenSequence
    from headway.families import family
    from headway.neural.auto import build_model
    from headway.neural.packing import pack

    found = family(family_name)
    config = found.config(**sizes)
    model = build_model(config, found.architecture(config, "base"), "base", {}).to(device)
    return model, lambda batch: model.encode(pack([TokenSequence(ids) for ids in batch], device=device))


def transformers(family_name: str, sizes: dict[str, Any], device: str, attention: str) -> tuple[Any, Run]:
    """Transformers' model with one of its attention implementations, and a pass over one padded batch of texts."""
    import torch
    import transformers

    from headway.families import family

    prefix = family(family_name).class_prefix
    config = getattr(transformers, f"{prefix}Config")(**sizes, attn_implementation=attention)
    model = getattr(transformers, f"{prefix}Model")(config).to(device)

    def run(batch: list[list[int]]) -> Any:
        longest = max(map(len, batch))
        ids = torch.tensor([text + [0] * (longest - len(text)) for text in batch], device=device)
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in batch], device=device)
        return model(input_ids=ids, attention_mask=mask).last_hidden_state

    return model, run


def make(system: str, family_name: str, sizes: dict[str, Any], device: str) -> tuple[Any, Run]:
    """One of the systems."""
    os.environ["HEADWAY_TRITON"] = "1" if "Triton" in system else ""
    if system.startswith("Headway"):
        return headway(family_name, sizes, device)
    return transformers(family_name, sizes, device, system.split()[1])


def seconds(model: Any, run: Run, work: list[list[list[int]]], *, learns: bool, device: str) -> float:
    """How long one pass over the batches takes: the median of as many as fit the shortest run, after one to warm up."""
    import torch

    low = torch.autocast(device, torch.bfloat16)

    def once() -> float:
        start = time.perf_counter()
        for batch in work:
            with low, torch.set_grad_enabled(learns):
                states = run(batch)
            if learns:
                model.zero_grad()
                states.float().square().mean().backward()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    model.train(learns)
    once()
    found, began = [once()], time.perf_counter()
    while time.perf_counter() - began < SHORTEST_RUN:
        found.append(once())
    return statistics.median(found)


def peak(device: str, *, size: int = 8192) -> float:
    """The best bf16 matrix product of random numbers, in 10^12 operations a second."""
    import torch

    size = size if device == "cuda" else 512
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e12


def cases(lengths: dict[str, list[int]]) -> Iterator[tuple[str, str, bool, str]]:
    """Family, texts, whether it learns, and system, the goals' first."""
    for family_name, systems in SYSTEMS.items():
        for name in lengths:
            for learns in (False, True):
                for system in systems:
                    yield family_name, name, learns, system


def measure(options: argparse.Namespace) -> None:
    """Every case that is missing in the result file, as long as time is left."""
    from random import Random

    import torch

    began = time.perf_counter()
    lengths = {"length 512": [LONGEST] * TEXTS, "IMDB": json.loads(options.lengths.read_text())["IMDB"][:TEXTS]}
    if options.tiny:
        lengths = {name: [min(length, 40) for length in found[:7]] for name, found in lengths.items()}
    result = json.loads(options.out.read_text()) if options.out.is_file() else {"measured": {}}
    result["bf16_matrix_product_teraflops"] = peak(options.device)
    result["device"] = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    result["torch"] = torch.__version__
    for family_name, name, learns, system in cases(lengths):
        key = " | ".join((family_name, name, "forward and backward" if learns else "forward", system))
        if key in result["measured"] or time.perf_counter() - began > 60 * options.minutes:
            continue
        sizes = settings_of(family_name, tiny=options.tiny)
        ids = [Random(at).choices(range(5, sizes["vocab_size"]), k=length) for at, length in enumerate(lengths[name])]
        work = [ids[start : start + TEXTS_OF_A_BATCH] for start in range(0, len(ids), TEXTS_OF_A_BATCH)]
        operations = needed(family_name, lengths[name], sizes) * (3 if learns else 1)
        try:
            taken = seconds(*make(system, family_name, sizes, options.device), work, learns=learns, device=options.device)
        except (ImportError, RuntimeError, ValueError) as error:  # a peer whose kernels are not installed, or memory that ran out
            result["measured"][key] = {"failed": f"{type(error).__name__}: {error}"[:500]}
        else:
            share = operations / taken / 1e12 / result["bf16_matrix_product_teraflops"]
            result["measured"][key] = {"seconds": taken, "tokens/s": sum(lengths[name]) / taken, "of the peak": share}
        print(key, result["measured"][key], flush=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n")
        if options.device == "cuda":
            torch.cuda.empty_cache()


def write_lengths(options: argparse.Namespace) -> None:
    """The lengths of IMDB's texts in tokens, so that the measurement needs no data."""
    found = text_lengths(options.data, "IMDB", count=TEXTS)
    options.out.write_text(json.dumps({"IMDB": found}) + "\n")


def main() -> None:
    """One of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    prepare = commands.add_parser("lengths")
    prepare.add_argument("--data", type=Path, required=True)
    prepare.add_argument("--out", type=Path, required=True)
    prepare.set_defaults(run=write_lengths)
    measured = commands.add_parser("measure")
    measured.add_argument("--lengths", type=Path, required=True)
    measured.add_argument("--out", type=Path, required=True)
    measured.add_argument("--minutes", type=float, default=8)
    measured.add_argument("--device", default="cuda")
    measured.add_argument("--tiny", action="store_true")
    measured.set_defaults(run=measure)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
