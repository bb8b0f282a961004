"""The cheat sheet's table on small models: four families pre-trained under one equal budget, then compared on GLUE.

    python benchmarks/compare.py --data DATA --files TEXT … [--tokens N] [--tasks …] [--seeds …] [--train-limit N] [--out FOLDER]

DATA holds GLUE's sets as ``headway evaluate --glue`` reads them, TEXT the files to pre-train on. BERT, RoBERTa and DeBERTa have
the same width, depth, tokenizer (WordPiece, learnt from TEXT), batches, steps and seed, and learn masked tokens from the same
number of tokens; DistilBERT has half the layers and is distilled from that BERT with as many tokens more, as its authors made
theirs. Every part is resumed where it was killed. The table says exactly what was run.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from measuring import write_result

FAMILIES = ("bert", "roberta", "deberta")
TOKENS_PER_BATCH = 8192


def main() -> None:
    """Pre-train, compare, keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--files", nargs="+", required=True)
    parser.add_argument("--out", type=Path, default=Path("results/compare"))
    parser.add_argument("--tokens", type=int, default=20_000_000)
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--tasks", nargs="+", default=["cola", "sst2", "mrpc", "stsb", "rte", "wnli", "qnli", "mnli", "qqp"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--train-limit", type=int)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--train-settings", nargs="*", default=[])
    options = parser.parse_args()
    made = {family: pretrained(options, family) for family in FAMILIES}
    models = {"distilbert": distilled(options, made["bert"]), **made}
    compared(options, models)


def tokenizer_folder(options: argparse.Namespace) -> Path:
    """The tokenizer of all models, learnt from the text."""
    from headway.text import train_wordpiece

    folder: Path = options.out / "tokenizer"
    if not (folder / "tokenizer.json").is_file():
        train_wordpiece(options.files, vocab_size=options.vocab_size, progress=False).save_pretrained(folder)
    return folder


def pretrained(options: argparse.Namespace, family: str) -> Path:
    """A small model of the family; one that is done is not made again."""
    from headway.settings.pretraining import PretrainSettings
    from headway.training.pretraining import pretrain

    folder: Path = options.out / "pretrained" / family
    if not (folder / "done.json").is_file():
        pretrain(PretrainSettings(
            files=tuple(options.files), tokenizer=str(tokenizer_folder(options)), output_dir=str(folder), family=family,
            hidden_size=options.hidden_size, num_hidden_layers=options.layers, num_attention_heads=options.heads,
            intermediate_size=4 * options.hidden_size, max_position_embeddings=258 if family == "roberta" else 256,
            tokens_per_batch=TOKENS_PER_BATCH, max_steps=steps(options), seed=0,
        ), progress=False)  # fmt: skip
        (folder / "done.json").write_text(json.dumps({"tokens": options.tokens}), encoding="utf-8")
    return folder


def distilled(options: argparse.Namespace, teacher: Path) -> Path:
    """A student with half of the layers of that BERT, by the triple loss."""
    from headway.compress import DistillSettings, distill

    folder: Path = options.out / "pretrained" / "distilbert"
    if not (folder / "done.json").is_file():
        config = student_config(options, teacher)
        distill(DistillSettings(
            teacher=str(teacher), student=str(config), recipe="distilbert", files=tuple(options.files), output_dir=str(folder),
            tokens_per_batch=TOKENS_PER_BATCH, max_steps=steps(options), learning_rate=5e-4, soft_tokens="masked",
            measure_speed=False, seed=0,
        ), progress=False)  # fmt: skip
        (folder / "done.json").write_text(json.dumps({"tokens": options.tokens}), encoding="utf-8")
    return folder


def student_config(options: argparse.Namespace, teacher: Path) -> Path:
    """The configuration of a DistilBERT as wide as its teacher: BERT's without token types and pooler."""
    from headway.checkpoints import load_config
    from headway.families import family

    source, path = load_config(teacher), options.out / "distilbert.json"
    family("distilbert").config(
        vocab_size=source.vocab_size, dim=source.hidden_size, n_layers=max(1, options.layers // 2), n_heads=options.heads,
        hidden_dim=source.intermediate_size, max_position_embeddings=source.max_position_embeddings,
        pad_token_id=source.pad_token_id,
    ).to_json_file(path)  # fmt: skip
    return path


def steps(options: argparse.Namespace) -> int:
    """Steps that read about so many tokens."""
    return max(1, options.tokens // TOKENS_PER_BATCH)


def compared(options: argparse.Namespace, models: dict[str, Path]) -> None:
    """The comparison, and its table for the documentation."""
    from headway.compress.comparing import compare
    from headway.settings.comparison import CompareSettings

    settings = CompareSettings(
        models=tuple(str(folder) for folder in models.values()), reference=str(models["bert"]), data=options.data,
        output_dir=str(options.out / "compared"), tasks=tuple(options.tasks), seeds=tuple(options.seeds), limit=options.limit,
        train_limit=options.train_limit, train_settings=tuple(options.train_settings),
    )  # fmt: skip
    rows = compare(settings, progress=False, tell=lambda line: print(line, flush=True))
    table: list[list[Any]] = []
    for family, row in zip(models, rows, strict=True):
        spread = "" if row.margin is None else f" ± {100 * row.margin:.1f}"
        scores = [f"{100 * score:.1f}" for score in row.tasks.values()]
        speeds = [f"{speed:.2f}×" for speed in row.speed.values()]
        table.append([family, f"{row.parameters / 1e6:.1f}M", f"{100 * row.score:.1f}{spread}", *scores, *speeds])
        print(*table[-1], sep="\t")
    extent = "all training rows" if options.train_limit is None else f"at most {options.train_limit:,} training rows a task"
    write_result(
        "compare",
        {
            "title": f"Families of {options.layers} layers of {options.hidden_size}, DistilBERT {max(1, options.layers // 2)}, "
            f"{options.tokens / 1e6:g} million tokens of pre-training each, {extent}, {len(options.seeds)} seeds, ± 95 %",
            "command": f"python benchmarks/compare.py --data DATA --files TEXT --tokens {options.tokens}",
            "columns": ["family", "parameters", "mean score", *options.tasks, *(f"speed, {name}" for name in rows[0].speed)],
            "rows": table,
            "files": [Path(file).name for file in options.files],
            "settings": settings.to_dict() | {"models": list(models), "reference": "bert", "data": "DATA", "output_dir": "OUT"},
            "sources": {family: row.source for family, row in zip(models, rows, strict=True)},
        },
    )


if __name__ == "__main__":
    main()
