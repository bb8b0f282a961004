"""How the models that ship learn: what more tokens of pre-training bring, and more questions.

    python benchmarks/learning.py --data DATA --checkpoints FOLDER … --tokenizer FOLDER [--earlier TOKENS …] [--out FOLDER]
    python benchmarks/learning.py --data DATA --questions FOLDER … [--learnt QUESTIONS]

DATA holds ``glue/sst2`` and ``squad``. CHECKPOINTS are those of ``headway pretrain``: their steps tell the tokens read, each of
``--batch``, and ``--earlier`` those that their weights had read before that run. The share of masked words found is the run's, on
text that was held out, where it was measured at that step. Each is fine-tuned by ``headway compare`` on the same rows of SST-2,
once for each seed; killed and called again, it goes on.

QUESTIONS are models that ``headway train`` made one from the other, the first from one that had seen ``--learnt`` questions; each
answers the same ones.
"""

import argparse
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

from measuring import write_result

RECIPE = ("learning_rate=3e-4", "num_train_epochs=2")
ASKED = 600
"""Questions of SQuAD's development set."""


def main() -> None:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoints", nargs="+", type=Path, default=[])
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--earlier", nargs="+", type=int)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--train-limit", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("results/learning"))
    parser.add_argument("--questions", nargs="+", type=Path, default=[])
    parser.add_argument("--learnt", type=int, default=0)
    options = parser.parse_args()
    if options.checkpoints:
        from_tokens(options)
    if options.questions:
        from_questions(options)


def from_tokens(options: argparse.Namespace) -> None:
    """The encoder against the tokens that it has read."""
    earlier = options.earlier or [0] * len(options.checkpoints)
    tokens = [before + options.batch * steps(one) for one, before in zip(options.checkpoints, earlier, strict=True)]
    models = [with_tokenizer(options, one, number) for one, number in zip(options.checkpoints, tokens, strict=True)]
    table = []
    for number, folder, row in zip(tokens, options.checkpoints, compared(options, models), strict=True):
        spread = "" if row.margin is None else f" ± {100 * row.margin:.1f}"
        table.append([f"{number / 1e6:.1f}", found_words(folder), f"{100 * row.score:.1f}{spread}"])
        print(*table[-1], sep="\t")
    write_result(
        "learning_tokens",
        {
            "title": f"The encoder after so many tokens; SST-2 after fine-tuning on {options.train_limit:,} rows, "
            f"{len(options.seeds)} seeds, ± 95 %",
            "command": "python benchmarks/learning.py --data DATA --checkpoints FOLDER … --tokenizer FOLDER",
            "columns": ["million tokens read", "masked words found, %", "SST-2, accuracy, %"],
            "rows": table,
            "settings": list(RECIPE),
        },
    )


def steps(folder: Path) -> int:
    """The step of a checkpoint."""
    return int(json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["global_step"])


def found_words(folder: Path) -> str:
    """The share of masked words found at the step; empty where it was not measured then."""
    shares = {line["step"]: line["eval_accuracy"] for line in log(folder.parent) if "eval_accuracy" in line}
    share = shares.get(steps(folder))
    return "" if share is None else f"{100 * share:.1f}"


def log(folder: Path) -> list[dict[str, Any]]:
    """What a run noted."""
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def with_tokenizer(options: argparse.Namespace, folder: Path, tokens: int) -> Path:
    """The checkpoint's weights beside the tokenizer, under a name that says what it has read."""
    target: Path = options.out / "models" / f"{tokens}-tokens"
    target.mkdir(parents=True, exist_ok=True)
    for file in [folder / "config.json", folder / "model.safetensors", *options.tokenizer.glob("tokenizer*.json")]:
        shutil.copy(file, target)
    return target


def compared(options: argparse.Namespace, models: list[Path]) -> list[Any]:
    """Each one's scores."""
    from headway.compress.comparing import compare
    from headway.settings.comparison import CompareSettings

    settings = CompareSettings(
        models=tuple(map(str, models)), data=options.data, output_dir=str(options.out / "compared"), tasks=("sst2",),
        seeds=tuple(options.seeds), train_limit=options.train_limit, train_settings=RECIPE, speed_items=0,
    )  # fmt: skip
    return compare(settings, progress=False, tell=lambda line: print(line, flush=True))


def from_questions(options: argparse.Namespace) -> None:
    """The answers of models against the questions that they and those before them have learnt from."""
    from headway.evaluation import evaluate

    table: list[list[str]] = []
    learnt = options.learnt
    for folder in options.questions:
        settings = tomllib.loads((folder / "settings.toml").read_text(encoding="utf-8"))
        rounds = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["training"]["steps"]
        learnt += rounds * settings["per_device_train_batch_size"]
        found = evaluate(
            folder,
            options.data / "squad" / "dev-v1.1.json",
            task="question-answering",
            limit=ASKED,
            resamples=0,
            precision="fp32",
        )
        scores = [f"{100 * found.scores[name]:.1f}" for name in ("f1", "exact_match")]
        table.append([Path(settings["train"]).stem, f"{learnt / 1000:.0f}", *scores])
        print(*table[-1], sep="\t", flush=True)
    write_result(
        "learning_questions",
        {
            "title": f"Question answering after so many questions, {ASKED} of SQuAD's development set",
            "command": "python benchmarks/learning.py --data DATA --questions FOLDER …",
            "columns": ["last learnt from", "questions in all, thousand", "F1 of words, %", "exact, %"],
            "rows": table,
        },
    )


if __name__ == "__main__":
    main()
