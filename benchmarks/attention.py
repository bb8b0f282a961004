"""Encode and learn from texts of real lengths: Headway's packed torch modules beside transformers, per kind of attention.

    python benchmarks/attention.py --data DATA

DATA holds ``glue/sst2/validation.jsonl``, ``imdb/train.jsonl.xz`` and ``vocab/bert-base-uncased/vocab.txt``. Models have the
size of MiniLM (6 layers of 384) and each family's own structure; weights and ids are random, only lengths are real. Families that
are not listed have BERT's attention. transformers uses the best attention that it has for the family, on padded batches: as the
texts come, and sorted by length. The share of the peak counts the products that the texts need, none for padding.
"""

import argparse
import json
import lzma
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measuring import gigaflops, write_result

WIDTH, LAYERS, VOCABULARY, LONGEST = 384, 6, 30522, 512
SIZES = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "intermediate_size": 4 * WIDTH}
DEBERTA = {
    "num_attention_heads": 6,
    "relative_attention": True,
    "pos_att_type": "c2p|p2c",
    "position_biased_input": False,
    "type_vocab_size": 0,
    "pad_token_id": 0,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": {"num_attention_heads": 12},
    "mpnet": {"num_attention_heads": 12, "max_position_embeddings": LONGEST + 2},
    "deberta": DEBERTA,
    "deberta-v2": DEBERTA | {"position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": True},
    "modernbert": {
        "num_attention_heads": 6,
        "intermediate_size": 576,
        "pad_token_id": 0,
        **dict.fromkeys(("cls_token_id", "bos_token_id"), 1),
        **dict.fromkeys(("sep_token_id", "eos_token_id"), 2),
    },
}
SETS = {"SST-2": ("glue/sst2/validation.jsonl", "sentence", 128, 32), "IMDB": ("imdb/train.jsonl.xz", "text", 32, 16)}
"""File, column, texts, and texts of a batch."""

Work = Callable[[list[list[int]]], None]


def text_lengths(data: Path, name: str, *, count: int | None = None) -> list[int]:
    """Lengths in tokens of as many texts as asked for, or as the set is measured on, spread evenly over its own, shuffled."""
    from random import Random

    from tokenizers import BertWordPieceTokenizer

    path, column, usual, _ = SETS[name]
    count = count or usual
    opened = lzma.open if path.endswith(".xz") else open
    with opened(data / path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)[column] for line in lines]
    tokenizer = BertWordPieceTokenizer(str(data / "vocab" / "bert-base-uncased" / "vocab.txt"), lowercase=True)
    chosen = Random(0).sample(texts, min(len(texts), 1024))
    lengths = sorted(min(len(found), LONGEST) for found in tokenizer.encode_batch(chosen))
    spread = [lengths[int((number + 0.5) * len(lengths) / count)] for number in range(count)]
    Random(1).shuffle(spread)
    return spread


def headway(family_name: str) -> tuple[Any, Work]:
    """Our model, and a pass over one batch of texts."""
    from headway.core.batching import TokenSequence
    from headway.families import family
    from headway.neural.auto import build_model
    from headway.neural.packing import pack

    found = family(family_name)
    config = found.config(**SIZES | FAMILIES[family_name])
    model = build_model(config, found.architecture(config, "base"), "base", {})
    return model, lambda batch: model.encode(pack([TokenSequence(ids) for ids in batch]))


def transformers(family_name: str) -> tuple[Any, Work]:
    """Transformers' model, and a pass over one padded batch of texts."""
    import torch
    import transformers

    from headway.families import family

    prefix = family(family_name).class_prefix
    config = getattr(transformers, f"{prefix}Config")(**SIZES | FAMILIES[family_name])
    model = getattr(transformers, f"{prefix}Model")(config)

    def run(batch: list[list[int]]) -> Any:
        longest = max(map(len, batch))
        ids = torch.tensor([text + [0] * (longest - len(text)) for text in batch])
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in batch])
        return model(input_ids=ids, attention_mask=mask).last_hidden_state

    return model, run


def batches(texts: list[list[int]], size: int, *, by_length: bool) -> Iterator[list[list[int]]]:
    """The texts in batches, as they come or sorted."""
    ordered = sorted(texts, key=len) if by_length else texts
    return (ordered[start : start + size] for start in range(0, len(ordered), size))


def seconds(model: Any, run: Work, work: list[list[list[int]]], *, learns: bool) -> float:
    """How long one pass over the batches takes, with its gradients where the model learns."""
    import torch

    model.train(learns)
    start = time.perf_counter()
    for batch in work:
        if learns:
            model.zero_grad()
            run(batch).square().mean().backward()
        else:
            with torch.no_grad():
                run(batch)
    return time.perf_counter() - start


def needed(family_name: str, lengths: list[int], settings: dict[str, Any]) -> float:
    """Operations of the matrix products in one forward pass of a model of these sizes, nothing for padding."""
    width, inner = settings["hidden_size"], settings["intermediate_size"]
    maps = 4 * width**2 + (3 if family_name == "modernbert" else 2) * width * inner
    terms = 4 if family_name.startswith("deberta") else 2
    total = 0.0
    for length in lengths:
        for layer in range(settings["num_hidden_layers"]):
            near = family_name == "modernbert" and layer % 3 != 0
            keys = min(length, 129) if near else length
            total += 2 * length * (maps + terms * keys * width)
    return total


def measure(family_name: str, name: str, lengths: list[int], *, rounds: int) -> Iterator[dict[str, Any]]:
    """Seconds of both systems, over both orders, without gradients and with them."""
    from random import Random

    texts = [Random(number).choices(range(5, VOCABULARY), k=length) for number, length in enumerate(lengths)]
    systems = {"Headway": headway(family_name), "transformers": transformers(family_name)}
    orders = {order: list(batches(texts, SETS[name][3], by_length=order == "sorted")) for order in ("as they come", "sorted")}
    for learns in (False, True):
        for system in systems.values():
            seconds(*system, orders["sorted"][:1], learns=learns)
        found: dict[str, list[float]] = {}
        for _ in range(rounds):
            for order, work in orders.items():
                for system_name, system in systems.items():
                    found.setdefault(f"{system_name}, {order}", []).append(seconds(*system, work, learns=learns))
        yield {"family": family_name, "texts": name, "learns": learns, "seconds": found}


def row(found: dict[str, Any], lengths: list[int], peak: float) -> list[str]:
    """A line of the table."""
    middle = {name: statistics.median(times) for name, times in found["seconds"].items()}
    ours = middle["Headway, as they come"]
    operations = needed(found["family"], lengths, SIZES | FAMILIES[found["family"]]) * (3 if found["learns"] else 1)
    ratios = [middle[f"transformers, {order}"] / middle[f"Headway, {order}"] for order in ("as they come", "sorted")]
    return [
        found["family"],
        found["texts"],
        "forward and backward" if found["learns"] else "forward",
        f"{sum(lengths) / ours:.0f}",
        f"{operations / ours / 1e9 / peak:.0%}",
        *(f"{ratio:.1f}×" if math.isfinite(ratio) else "" for ratio in ratios),
    ]


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    options = parser.parse_args()
    peak, results, rows = gigaflops(), [], []
    for name in SETS:
        lengths = text_lengths(options.data, name)
        for family_name in options.families:
            for found in measure(family_name, name, lengths, rounds=options.rounds):
                results.append(found)
                rows.append(row(found, lengths, peak))
                print(*rows[-1], sep="\t", flush=True)
    chosen = "" if options.families == list(FAMILIES) else f" --families {' '.join(options.families)}"
    write_result(  # of one family beside what there is
        f"attention_{options.families[0]}" if len(options.families) == 1 else "attention",
        {
            "title": "Torch in fp32 on the CPU, six layers of 384, texts of real lengths",
            "command": f"python benchmarks/attention.py --data DATA{chosen}",
            "columns": ["family", "texts", "pass", "tokens/s", "of the peak", "against transformers", "with sorted texts"],
            "rows": rows,
            "measured": results,
            "fp32_matrix_product_gigaflops": round(peak),
        },
    )


if __name__ == "__main__":
    main()
