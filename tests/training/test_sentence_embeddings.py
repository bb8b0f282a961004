"""Sentence embeddings and rerankers trained: losses as sentence-transformers has them, and folders that it loads."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from headway import pipeline
from headway.cli.commands.train import next_command
from headway.errors import ConfigError, DataError
from headway.neural.loading import load_model
from headway.settings.training import TrainingArguments, TrainSettings
from headway.tasks import ModelFacts
from headway.tasks.sentence_learning import LEARNING
from headway.tasks.sentence_rows import arranged
from headway.text import Tokenizer
from headway.training import Trainer
from headway.training.finetuning import fine_tune
from headway.training.labelled import RowReader
from headway.training.objectives.sentence_vectors import vector_objective
from headway.training.out_of_memory import smaller_limit
from headway.training.parts import parts_of

WORDS = "the a movie film was is good bad great fun awful boring we love it he she saw dog cat".split()
USUAL = {"max_steps": 4, "logging_steps": 2, "bf16": False, "per_device_train_batch_size": 5}


def text(random, count):
    return " ".join(random.choice(WORDS, count))


def scored(count=11):
    random = np.random.default_rng(3)
    return [
        {"sentence1": text(random, 3 + n % 4), "sentence2": text(random, 2 + n % 5), "score": float(n % 6) - 0.25 * (n % 2)}
        for n in range(1, count + 1)
    ]


def belonging(count=7, negatives=1):
    random = np.random.default_rng(5)
    names = ["anchor", "positive", *(f"negative_{n}" for n in range(1, negatives + 1))]
    return [{name: text(random, 3 + (n + place) % 5) for place, name in enumerate(names)} for n in range(count)]


def read(folder, rows):
    model = load_model(folder, head="base", config=None, keywords={}).eval()
    facts = ModelFacts(tokenizer=Tokenizer.from_pretrained(folder), config=model.config, folder=Path(folder))
    return model, RowReader(LEARNING, facts, arranged(rows), "rows").examples()


def theirs(folder, rows, name, **given):
    """Their loss of these rows, and the gradient of the token table."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import losses

    model = SentenceTransformer(str(folder), device="cpu").eval()
    texts = [key for key in rows[0] if key != "score"]
    labels = torch.tensor([row.get("score", 0.0) for row in rows])
    features = [model.preprocess([row[key] for row in rows]) for key in texts]
    loss = getattr(losses, name)(model, **given)(features, labels)
    loss.backward()
    return float(loss.detach()), model[0].auto_model.embeddings.word_embeddings.weight.grad


@pytest.mark.parametrize(("loss", "rows", "name", "given"), [
    ("cosent", scored(), "CoSENTLoss", {"scale": 7.0}),
    ("cosine", scored(), "CosineSimilarityLoss", {}),
    ("multiple-negatives", belonging(negatives=0), "MultipleNegativesRankingLoss", {"scale": 7.0}),
    ("multiple-negatives", belonging(negatives=2), "MultipleNegativesRankingLoss", {"scale": 7.0}),
])  # fmt: skip
@pytest.mark.parametrize("at_once", [None, 23])
def test_losses_and_gradients_are_those_of_sentence_transformers(loss, rows, name, given, at_once, model_folder):
    folder = model_folder("base", seed=1)
    model, examples = read(folder, rows)
    arguments = TrainingArguments(loss=loss, similarity_scale=7.0, tokens_at_once=at_once, similarity_range=())
    objective, _ = vector_objective(model, arguments).fit(examples)
    batch = objective.batch(examples, model.device)
    if loss == "cosine":
        rows = [{**row, "score": row["score"] / 5} for row in rows]
    wanted, gradient = theirs(folder, rows, name, **given)
    found = objective.loss_sum(model, batch) / batch.count
    found.backward()
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-5)
    torch.testing.assert_close(model.embeddings.token.weight.grad, gradient, atol=1e-6, rtol=1e-4)


def test_the_same_text_in_another_row_is_no_negative(model_folder):
    rows = belonging(5)
    rows[3] = {**rows[3], "positive": rows[1]["positive"], "negative_1": rows[0]["anchor"]}
    model, examples = read(model_folder("base"), rows)
    same = vector_objective(model, TrainingArguments()).batch(examples, model.device).same
    assert same.nonzero().tolist() == [[0, 7], [1, 6], [3, 2]]  # others stand as positive, negative, positive, …


def test_memory_that_does_not_suffice_divides_the_vectors_and_not_the_loss(model_folder):
    model, examples = read(model_folder("base"), belonging())
    batch = vector_objective(model, TrainingArguments()).batch(examples, model.device)
    (part,) = parts_of(batch, 31)
    assert (part.at_once, part.count) == (31, 7)
    assert smaller_limit(batch) == batch.tokens // 2
    assert smaller_limit(part) == 15
    (whole,) = parts_of(batch, None)
    assert whole.at_once is None
    pairs = vector_objective(model, TrainingArguments(loss="cosine")).batch(read(model_folder("base"), scored())[1], model.device)
    assert len(parts_of(pairs, 31)) > 1


@pytest.mark.parametrize(("rows", "wanted"), [
    pytest.param([{"text1": "a", "text2": "b", "similarity": 3}], [("a", ["b"], 3)], id="a similarity"),
    pytest.param([{"anchor": "a", "positive": "b", "score": 0.5}], [("a", ["b"], 0.5)], id="anchor and positive with one"),
    pytest.param([{"query": "a", "positive": "b", "negatives": ["c", "d"]}], [("a", ["b", "c", "d"], [1, 0, 0])], id="negatives"),
    pytest.param([{"question": "a", "answer": "b"}], [("a", ["b"], [1])], id="texts that belong together"),
    pytest.param(
        [{"premise": "a", "hypothesis": h, "label": label} for h, label in (("b", 0), ("c", 1), ("d", 2), ("e", 0))],
        [("a", ["b", "d"], [1, 0]), ("a", ["e", "d"], [1, 0])], id="inferences in numbers",
    ),
    pytest.param(
        [{"sentence1": "a", "sentence2": h, "label": label} for h, label in (("b", "entailment"), ("c", "contradiction"))],
        [("a", ["b", "c"], [1, 0])], id="inferences in words",
    ),
    pytest.param([{"sentence1": "a", "sentence2": "b", "label": 1}], [("a", ["b"], 1)], id="numbers that are no inferences"),
])  # fmt: skip
def test_rows_of_every_form_are_learnt(rows, wanted):
    found = [(row["source_sentence"], row["sentences"], row["label"]) for row in arranged(rows)]
    assert found == wanted
    assert arranged(arranged(rows)) == arranged(rows)


def train(model, rows, **given):
    arguments = TrainingArguments(**{**USUAL, **given})
    return Trainer(load_model(model, head="base", config=None, keywords={}), arguments, train_dataset=rows, progress=False,
                   task="sentence-embeddings", processing_class=Tokenizer.from_pretrained(model)).train()  # fmt: skip


@pytest.mark.parametrize(("rows", "given", "error", "said"), [
    ([{"label": 1, "words": "a"}], {}, DataError, r"columns label, words are none .*\(sentence1, sentence2, label\)"),
    (scored(), {"loss": "multiple-negatives"}, ConfigError, r"the rows are pairs with a similarity\. Use loss='cosent'"),
    (belonging(), {"loss": "cosine"}, ConfigError, r"the rows have none: .*Use loss='multiple-negatives'"),
    (belonging(negatives=0), {"per_device_train_batch_size": 1}, ConfigError, "is 1, so no text would be compared"),
    (scored(), {"similarity_range": (1.0, 5.0)}, DataError, "are 0 to 4.75, which do not lie between 1 and 5"),
    (scored(), {"similarity_range": (1.0,)}, ConfigError, "similarity_range is .* two numbers"),
    (scored(), {"similarity_scale": 0.0}, ConfigError, "similarity_scale is 0"),
    ([{"premise": "a", "hypothesis": "b", "label": "neutral"}] * 3
     + [{"premise": "a", "hypothesis": "b", "label": "contradiction"}], {}, DataError, "No row's 'label' is 'entailment'"),
])  # fmt: skip
def test_what_cannot_be_learnt_is_refused_before_the_first_step(rows, given, error, said, model_folder, tmp_path):
    with pytest.raises(error, match=said):
        train(model_folder("base"), rows, output_dir=str(tmp_path), **given)


def test_predict_and_compute_metrics_say_that_there_are_no_logits(model_folder, tmp_path):
    model = load_model(model_folder("base"), head="base", config=None, keywords={})
    given = {"task": "sentence-embeddings", "progress": False}
    with pytest.raises(ConfigError, match=r"predict works on logits, but sentence embeddings are vectors\. Leave it out"):
        Trainer(model, TrainingArguments(output_dir=str(tmp_path)), **given).predict(scored())
    with pytest.raises(ConfigError, match="compute_metrics works on logits"):
        Trainer(model, TrainingArguments(output_dir=str(tmp_path)), compute_metrics=dict, **given)


@pytest.mark.parametrize(("task", "valid", "said"), [
    ("sentence-embeddings", "v.csv", "headway evaluate 'my out' v.csv --worst 10"),
    ("text-ranking", "v.csv", "headway evaluate 'my out' v.csv --worst 10"),
    ("text-ranking", None, "headway serve 'my out'"),
    ("sentence-embeddings", None, "headway predict --model 'my out' TEXT"),
])  # fmt: skip
def test_what_to_type_next_fits_what_was_trained(task, valid, said):
    assert next_command(TrainSettings(model="m", train="t", valid=valid, task=task, output_dir="my out")) == said


def test_settings_of_sentence_embeddings_are_refused_elsewhere(model_folder, tmp_path):
    model = load_model(model_folder("sequence-classification"), head="sequence-classification", config=None, keywords={})
    with pytest.raises(ConfigError, match=r"loss says how sentence embeddings are learnt, but the task is text-classification"):
        Trainer(model, TrainingArguments(output_dir=str(tmp_path), loss="cosent"), progress=False)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("form", ["scored", "belonging"])
def test_a_trained_folder_is_one_of_sentence_transformers(form, model_folder, tmp_path):
    from sentence_transformers import SentenceTransformer

    rows = {"scored": scored(), "belonging": belonging()}[form]
    path = write(tmp_path / "rows.jsonl", rows)
    settings = TrainSettings(**{**USUAL, "max_steps": 160}, learning_rate=3e-3, model=str(model_folder("base", seed=2)),
                             dropout=0.0, train=path, valid=path, task="sentence-embeddings", max_length=29,
                             output_dir=str(tmp_path / "out"))  # fmt: skip
    _, scores = fine_tune(settings, progress=False)
    name = {"scored": "eval_spearman", "belonging": "eval_accuracy@1"}[form]
    assert scores[name] > 0.6
    texts = [row["sentence1" if form == "scored" else "anchor"] for row in rows]
    ready = pipeline(model=settings.output_dir)
    assert ready.task == "sentence-embeddings"
    np.testing.assert_allclose(
        np.array(ready(texts)), SentenceTransformer(settings.output_dir, device="cpu").encode(texts), atol=1e-5
    )
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["scores"][name.removeprefix("eval_")] == scores[name]
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "library_name: sentence-transformers" in card
    assert "pipeline_tag: sentence-similarity" in card
    assert json.loads((tmp_path / "out" / "sentence_bert_config.json").read_text())["max_seq_length"] == 29
