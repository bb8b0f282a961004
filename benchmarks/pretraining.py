"""Pre-train a small masked LM: Headway beside transformers' Trainer with its collator, on the same text.

    python benchmarks/pretraining.py --text FILE [--rounds 3]

FILE is text, a paragraph a line, a blank line between documents (``.xz`` too). The model is a BERT of 4 layers of width 256 with
new weights; the tokenizer is learnt from the text first. Both systems see the same documents, cut into the same pieces of at
most 128 tokens and tokenised before the clock starts, and learn from as many tokens a step. transformers pads each batch to its
longest piece. Each system has a process of its own, in which it trains once to warm up; they take turns within one run.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from measuring import System, gigaflops, median_ratio, rounds, write_result

LENGTH, PIECES_A_BATCH = 128, 32
SIZE = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}


def headway(folder: str, output: str, settings: dict[str, Any]) -> Callable[[list[str]], Any]:
    """Our pre-training; its documents are tokenised before the clock starts, as the other's are."""
    from headway.settings.pretraining import PretrainSettings
    from headway.training import pretraining
    from headway.training.loop import train
    from headway.training.pretraining_objective import find_objective
    from headway.training.reporting import Reporter

    def arguments(steps: int) -> PretrainSettings:
        return PretrainSettings(
            files=(f"{folder}/text.txt",), tokenizer=folder, output_dir=output, family="bert", max_length=LENGTH, held_out=0,
            tokens_per_batch=settings["tokens"], max_steps=steps, save_strategy="no", logging_steps=10_000,
            resume_from_checkpoint=False, **SIZE, **{name: value for name, value in settings.items() if name != "tokens"},
        )  # fmt: skip

    given, objective = arguments(1), find_objective("masked-lm")
    tokenizer = pretraining.Tokenizer.from_pretrained(folder)
    corpus = pretraining.tokenise_corpus(given.files, tokenizer, Path(output) / "tokens", progress=False)

    def work(steps: list[str]) -> None:
        chosen = arguments(len(steps))
        reading = pretraining.Reading(chosen, objective, corpus, tokenizer)
        job = pretraining.job_of(chosen, reading, pretraining.make_model(chosen, tokenizer))
        train(job, chosen, Reporter(output, progress=False))

    return work


def transformers(folder: str, output: str, settings: dict[str, Any]) -> Callable[[list[str]], Any]:
    """The Trainer of transformers with DataCollatorForLanguageModeling."""
    from transformers import (
        AutoTokenizer,
        BertConfig,
        BertForMaskedLM,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainingArguments,
    )

    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = [{"input_ids": ids} for ids in pieces_of(folder)]
    zero = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **SIZE, **zero))
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)

    def work(steps: list[str]) -> None:
        arguments = TrainingArguments(
            output, max_steps=len(steps), per_device_train_batch_size=PIECES_A_BATCH, save_strategy="no", report_to="none",
            disable_tqdm=True, logging_steps=10_000, **settings,
        )  # fmt: skip
        Trainer(model, arguments, train_dataset=pieces, data_collator=collator).train()

    return work


def pieces_of(folder: str) -> list[list[int]]:
    """The text's pieces as ids, framed; those that Headway reads."""
    from headway.text import Tokenizer
    from headway.training.corpus import tokenise_corpus

    tokenizer = Tokenizer.from_pretrained(folder)
    corpus = tokenise_corpus([f"{folder}/text.txt"], tokenizer, Path(folder) / "tokens", progress=False)
    found, ends = corpus.pieces(max_length=LENGTH), (tokenizer.cls_token_id, tokenizer.sep_token_id)
    return [found.text(index, first=ends[0], last=ends[1]).ids.tolist() for index in range(len(found.starts))]


def prepare(folder: Path, text: Path, megabytes: float, vocab_size: int) -> None:
    """The first so many megabytes of the text, and a tokenizer learnt from them."""
    from headway.text import train_tokenizer
    from headway.text.files import read_lines

    size, lines = 0, read_lines([text], progress=False, doing="")
    with (folder / "text.txt").open("w", encoding="utf-8") as file:
        while size < megabytes * 1e6 and (some := list(islice(lines, 1000))):
            size += file.write("".join(some))
    train_tokenizer([folder / "text.txt"], vocab_size=vocab_size, progress=False).save_pretrained(folder)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--vocab-size", type=int, default=16384)
    parser.add_argument("--keep", action=argparse.BooleanOptionalAction, default=True, help="Write benchmarks/results.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, output = Path(name) / "model", str(Path(name) / "out")
        folder.mkdir()
        prepare(folder, options.text, options.megabytes, options.vocab_size)
        pieces = pieces_of(str(folder))
        tokens = round(sum(map(len, pieces)) / len(pieces) * PIECES_A_BATCH)
        limit, low = gigaflops(), {"bf16": True, "use_cpu": True}
        steps = ["step"] * options.steps
        systems = [
            System("transformers", transformers, str(folder), output, {}, items=steps),
            System("transformers, bf16", transformers, str(folder), output, low, items=steps),
            System("Headway", headway, str(folder), output, {"tokens": tokens}, items=steps),
            System("Headway, fp32", headway, str(folder), output, {"tokens": tokens, "bf16": False}, items=steps),
        ]
        times = rounds(systems, options.rounds)
        memory = {system.name: system.peak_megabytes() for system in systems}
        for system in systems:
            system.close()
    table = []
    for system, seconds in times.items():
        ratios = [f"{median_ratio(times[peer], seconds):.1f}×" for peer in ("transformers", "transformers, bf16")]
        table.append([system, f"{tokens * options.steps / statistics.median(seconds):.0f}", *ratios, f"{memory[system]:.0f}"])
        print(*table[-1], sep="\t")
    if options.keep:
        write_result(
            "pretraining",
            {
                "title": f"Masked LM, 4 layers of width 256, vocabulary {options.vocab_size}, {tokens} tokens a step",
                "command": "python benchmarks/pretraining.py --text FILE",
                "columns": ["system", "tokens/s", "against transformers", "against its bf16", "peak memory, MB"],
                "rows": table,
                "seconds": times,
                "fp32_matrix_product_gigaflops": round(limit),
            },
        )


if __name__ == "__main__":
    main()
