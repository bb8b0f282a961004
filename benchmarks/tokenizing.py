"""What a call of the tokenizer costs over the bare `encode_batch` of the `tokenizers` library, and what transformers' costs.

    python benchmarks/tokenizing.py --data DATA

DATA holds `vocab/bert-base-uncased/vocab.txt`, `glue/sst2/validation.jsonl` and `imdb/test_half.jsonl.xz`. All run in one
process, one after the other in each round; a time includes giving back what was made. The last rows are one text of ten million
characters, once.
"""

import argparse
import itertools
import json
import lzma
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import median_ratio, write_result

BARE = "tokenizers, encode_batch"
CUT = {"truncation": True, "max_length": 256, "padding": True, "return_tensors": "np"}
LONG = {"truncation": True, "max_length": 128}
REPEATS = 3
"""How often the short sentences are taken, so that a round is long enough to be timed."""


def text_sets(data: Path) -> dict[str, list[str]]:
    """Short sentences and long reviews."""
    with (data / "glue" / "sst2" / "validation.jsonl").open(encoding="utf-8") as lines:
        short = [json.loads(line)["sentence"] for line in lines]
    with lzma.open(data / "imdb" / "test_half.jsonl.xz", "rt", encoding="utf-8") as lines:
        long = [json.loads(line)["text"] for line in itertools.islice(lines, 300)]
    return {f"SST-2, {len(short)} sentences": short * REPEATS, f"IMDB, {len(long)} reviews": long}


def contestants(folder: Path) -> dict[str, Callable[[list[str]], Any]]:
    """All that is timed, by name."""
    from transformers import BertTokenizerFast

    from headway.text import AutoTokenizer

    ours, theirs = AutoTokenizer.from_pretrained(folder), BertTokenizerFast.from_pretrained(folder)
    bare = ours.backend
    return {
        BARE: bare.encode_batch,
        "Headway, lists": ours,
        "transformers, lists": lambda texts: theirs(texts, verbose=False),
        "Headway, cut to 256 and padded arrays": lambda texts: ours(texts, **CUT),
        "transformers, cut to 256 and padded arrays": lambda texts: theirs(texts, **CUT),
        "Headway, encode_sequences cut to 256": lambda texts: ours.encode_sequences(texts, max_length=256),
        "Headway, cut to 128": lambda texts: ours(texts, **LONG),
        "transformers, cut to 128": lambda texts: theirs(texts, **LONG),
    }


def timed(work: Callable[[list[str]], Any], texts: list[str]) -> float:
    """Seconds of the work and of giving its result back."""
    start = time.perf_counter()
    result = work(texts)
    del result
    return time.perf_counter() - start


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(options.data / "vocab" / "bert-base-uncased" / "vocab.txt", name)
        (Path(name) / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "model_max_length": 512}')
        works = contestants(Path(name))
    seconds: dict[str, dict[str, list[float]]] = {}
    rows = []
    for kind, texts in text_sets(options.data).items():
        found = seconds[kind] = {what: [] for what in works}
        for _, (what, work) in itertools.product(range(options.rounds), works.items()):
            found[what].append(timed(work, texts))
        for what, times in found.items():
            rows.append([kind, what, f"{1000 * statistics.median(times):.1f}", f"{median_ratio(times, found[BARE]):.2f}×"])
    long = ["the quick brown fox jumps over the lazy dog, and " * 204_081]
    for what in ("Headway, cut to 128", BARE, "transformers, cut to 128"):
        times = [timed(works[what], long)]
        rows.append(["one text of 10 MB", what, f"{1000 * statistics.median(times):,.1f}", ""])
    for row in rows:
        print(*row, sep="\t")
    result = {
        "title": "Calls of a tokenizer: BERT's WordPiece with 30,522 pieces",
        "command": "python benchmarks/tokenizing.py --data DATA",
        "columns": ["texts", "what", "milliseconds, median", "times the bare call, median of rounds"],
        "rows": rows,
        "seconds": seconds,
    }
    write_result("tokenizing", result)


if __name__ == "__main__":
    main()
