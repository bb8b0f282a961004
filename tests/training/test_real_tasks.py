"""CoNLL-2003 and SQuAD from the files that everybody has, through the commands that everybody types."""

import json

import pytest
import torch

from headway import pipeline
from headway.cli.main import main
from headway.families import family
from headway.neural.classes import model_class
from headway.text import Tokenizer

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore:.*made anew:UserWarning", "ignore:.*new:UserWarning")]
SENTENCE = "EU rejects German call to boycott British lamb ."
QUESTION = {"question": "Which dynasty?", "context": "The Norman dynasty had a major political impact on medieval Europe."}


@pytest.fixture(scope="module")
def base(tmp_path_factory, minilm_folder):
    """A tiny encoder with the vocabulary of BERT."""
    folder, tokenizer = tmp_path_factory.mktemp("base"), Tokenizer.from_pretrained(minilm_folder)
    sizes = {"hidden_size": 28, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 37}
    torch.manual_seed(0)
    config = family("bert").config(vocab_size=len(tokenizer), max_position_embeddings=512, **sizes)
    model_class("bert", "base")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def conll(data, folder):
    """The first sentences to learn from and to be measured on."""
    for name, count in (("train", 1000), ("validation", 300)):
        sentences = (data / "conll2003" / f"{name}.txt").read_text(encoding="utf-8").split("\n\n")
        (folder / f"{name}.txt").write_text("\n\n".join(sentences[:count]) + "\n\n", encoding="utf-8")
    return folder / "train.txt", folder / "validation.txt"


def squad(data, folder):
    """Those of the twelve articles with the fewest questions."""
    articles = json.loads((data / "squad" / "train-v1.1.first-12-articles.json").read_text(encoding="utf-8"))["data"]
    articles.sort(key=lambda article: sum(len(paragraph["qas"]) for paragraph in article["paragraphs"]))
    for name, some in (("valid", articles[:1]), ("train", articles[1:3])):
        (folder / f"{name}.json").write_text(json.dumps({"version": "1.1", "data": some}), encoding="utf-8")
    return folder / "train.json", folder / "valid.json"


def said(answer):
    """An answer as JSON, its scores to three digits."""
    return json.loads(json.dumps(answer), parse_float=lambda text: round(float(text), 3))


@pytest.mark.parametrize(
    ("task", "files", "asked", "metric"),
    [("token-classification", conll, SENTENCE, "strict_f1"), ("question-answering", squad, QUESTION, "exact_match")],
)
def test_train_then_pipeline_then_evaluate_then_export(task, files, asked, metric, base, data_folder, tmp_path):
    (train, valid), out, onnx = files(data_folder, tmp_path), tmp_path / "out", tmp_path / "onnx"
    what = ["--task", task, "--model", base, "--train", train, "--valid", valid, "--output-dir", out, "--no-bf16"]
    how = ["--max-steps", 20, "--learning-rate", 0.01, "--eval-strategy", "no", "--save-strategy", "no"]
    assert main(["train", *map(str, [*what, *how])]) == 0
    trained = json.loads((out / "metrics.json").read_text())
    assert trained["training"]["steps"] == 20
    answer = pipeline(model=str(out))(asked)
    assert main(["evaluate", str(out), str(valid), "--resamples", "0", "--out", str(tmp_path / "report.json")]) == 0
    scores = json.loads((tmp_path / "report.json").read_text())["scores"]
    assert metric in scores
    assert {name: trained["scores"][name] for name in scores} == pytest.approx(scores, abs=1e-6)
    assert main(["export", str(out), "--output", str(onnx), "--precision", "fp32"]) == 0
    assert said(pipeline(model=str(onnx))(asked)) == said(answer)
    assert ("IOB1" in (onnx / "config.json").read_text()) == (task == "token-classification")  # as these files are written
