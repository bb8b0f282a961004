"""Rerankers trained: the loss as sentence-transformers' CrossEncoder has it, from every form of data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from headway import pipeline
from headway.errors import ConfigError, DataError
from headway.evaluation.rows import find_columns
from headway.neural.loading import load_model
from headway.settings.training import TrainingArguments, TrainSettings
from headway.tasks import ModelFacts
from headway.tasks import task as find_task
from headway.tasks.ranking_rows import arranged
from headway.text import Tokenizer
from headway.training import Trainer
from headway.training.finetuning import fine_tune
from headway.training.labelled import RowReader
from headway.training.objectives.relevance import relevance_objective

WORDS = "the a movie film was is good bad great fun awful boring we love it he she saw dog cat".split()
USUAL = {"max_steps": 4, "logging_steps": 2, "bf16": False, "per_device_train_batch_size": 5}


def pairs(count=13, grades=2):
    """Pairs that are relevant where they share a word."""
    random = np.random.default_rng(7)
    rows = []
    for number in range(count):
        query, document = random.choice(WORDS, 2, replace=False), random.choice(WORDS, 3 + number % 4)
        label = number % grades
        rows.append({"query": " ".join(query), "passage": " ".join([*document, *([query[0]] if label else [])]), "label": label})
    return rows


def read(folder, rows):
    model = load_model(folder, head="sequence-classification", config=None, keywords={}).eval()
    facts = ModelFacts(tokenizer=Tokenizer.from_pretrained(folder), config=model.config, folder=Path(folder))
    return model, RowReader(find_task("text-ranking"), facts, arranged(rows), "rows").examples()


@pytest.mark.parametrize("grades", [2, 4])
def test_the_loss_is_that_of_a_cross_encoder(grades, model_folder):
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    folder, rows = model_folder("sequence-classification", num_labels=1, seed=4), pairs(grades=grades)
    model, examples = read(folder, rows)
    objective, said = relevance_objective(model).fit(examples)
    assert said == ([] if grades == 2 else ["Relevance: 0 to 3 is learnt as a chance from 0 to 1."])
    batch = objective.batch(examples, model.device)
    found = objective.loss_sum(model, batch) / batch.count
    theirs = CrossEncoder(str(folder), device="cpu").eval()
    labels = torch.tensor([row["label"] / (grades - 1) for row in rows])
    wanted = BinaryCrossEntropyLoss(theirs)([[row["query"] for row in rows], [row["passage"] for row in rows]], labels)
    torch.testing.assert_close(found.detach(), wanted.detach(), atol=1e-6, rtol=1e-5)


def test_no_validation_data_is_needed(model_folder, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in pairs()), encoding="utf-8")
    settings = TrainSettings(**{**USUAL, "max_steps": 1}, model=str(model_folder("sequence-classification", num_labels=1)),
                             train=str(path), task="text-ranking", output_dir=str(tmp_path / "out"))  # fmt: skip
    assert fine_tune(settings, progress=False)[1] == {}
    with pytest.raises(ConfigError, match=r"nothing to evaluate on"):
        fine_tune(replace(settings, load_best_model_at_end=True, save_strategy="epoch"), progress=False)


@pytest.mark.parametrize(("rows", "wanted"), [
    pytest.param([{"question": "a", "passages": ["b", "c"], "is_selected": [0, 1]}], [("a", ["b", "c"], [0, 1])], id="lists"),
    pytest.param([{"query": q, "passage": d, "label": n} for n, (q, d) in enumerate((("a", "b"), ("c", "d"), ("a", "e")))],
                 [("a", ["b", "e"], [0, 2]), ("c", ["d"], [1])], id="a pair a row"),
    pytest.param([{"anchor": "a", "positive": "b", "negative_1": "c", "negative_2": None}], [("a", ["b", "c"], [1, 0])],
                 id="answers and others"),
    pytest.param([{"sentence1": "a", "sentence2": "b", "score": 0.5}], [("a", ["b"], [0.5])], id="pairs of sentences"),
])  # fmt: skip
def test_rows_of_every_form_are_learnt(rows, wanted):
    found, task = arranged(rows), find_task("text-ranking")
    inputs, references = find_columns(task, task.evaluation, found[0], {})
    columns = [inputs["query"], inputs["documents"], references["relevance"]]
    assert [tuple(row[column] for column in columns) for row in found] == wanted
    assert arranged(found) is found


def test_a_document_that_stands_twice_is_learnt_once(model_folder):
    rows = [{"query": "a dog", "documents": ["a cat", "good", "a cat"], "relevance": [0, 1, 2]}]
    _, examples = read(model_folder("sequence-classification", num_labels=1), rows)
    assert [example.target for example in examples] == [(2.0,), (1.0,)]


@pytest.mark.parametrize(("rows", "labels", "error", "said"), [
    (pairs(), 3, ConfigError, r"learns one score, but the model has 3 labels .* Load it with num_labels=1"),
    ([{"query": "a", "passage": "b", "label": 1}] * 2, 1, DataError, "are 1 to 1, but a document that does not answer"),
    ([{"query": "a", "passage": "b", "label": None}], 1, DataError, "Row 0 has no relevance in column 'label'"),
    ([{"words": "a", "label": 1}], 1, DataError, r"columns words, label are none .*\(query, positive, negative\)"),
])  # fmt: skip
def test_what_cannot_be_learnt_is_refused_before_the_first_step(rows, labels, error, said, model_folder, tmp_path):
    folder = model_folder("sequence-classification", num_labels=labels)
    model = load_model(folder, head="sequence-classification", config=None, keywords={})
    with pytest.raises(error, match=said):
        Trainer(model, TrainingArguments(output_dir=str(tmp_path), **USUAL), train_dataset=rows, task="text-ranking",
                progress=False, processing_class=Tokenizer.from_pretrained(folder)).train()  # fmt: skip


def test_a_reranker_is_trained_measured_and_used(model_folder, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in pairs(20)), encoding="utf-8")
    settings = TrainSettings(**{**USUAL, "max_steps": 120}, dropout=0.0, learning_rate=3e-3,
                             model=str(model_folder("base", seed=2)),
                             train=str(path), valid=str(path), task="text-ranking", output_dir=str(tmp_path / "out"))  # fmt: skip
    with pytest.warns(UserWarning, match="made anew at random"):
        _, scores = fine_tune(settings, progress=False)
    assert {"eval_ndcg@10", "eval_mrr@10", "eval_map"} < set(scores)
    assert scores["eval_loss"] < 0.6
    from sentence_transformers import CrossEncoder

    rank = pipeline(model=settings.output_dir)
    assert rank.task == "text-ranking"
    documents = [row["passage"] for row in pairs(5)]
    ours = {one["corpus_id"]: one["score"] for one in rank(query="a dog", documents=documents)}
    theirs = CrossEncoder(settings.output_dir, device="cpu").predict([("a dog", document) for document in documents])
    np.testing.assert_allclose([ours[place] for place in range(5)], theirs, atol=1e-5)
