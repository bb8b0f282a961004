"""Data in all the forms that people have it in teaches the same."""

import datasets
import pandas as pd
import polars as pl
import pytest
import torch

from headway.errors import ConfigError, DataError
from headway.neural.classes import model_class
from headway.settings.training import TrainingArguments
from headway.training import Trainer
from headway.training.sources import rows_of

ROWS = [{"text": text, "label": label} for text, label in [("a good film", "pos"), ("bad", "neg"), ("great fun", "pos")] * 3]


@pytest.fixture
def trainer(tiny_config, tiny_tokenizer, tmp_path):
    def make(rows=ROWS, *, settings=None, config=None, **given):
        torch.manual_seed(0)
        model = model_class("bert", "sequence-classification")(tiny_config.replace(**{"num_labels": 2, **(config or {})}))
        usual = {"max_steps": 2, "save_strategy": "no", "bf16": False, "per_device_train_batch_size": 2}
        arguments = TrainingArguments(str(tmp_path / "out"), **usual | (settings or {}))
        return Trainer(model, arguments, train_dataset=rows, processing_class=tiny_tokenizer, progress=False, **given)

    return make


def forms(folder):
    frame = pd.DataFrame(ROWS)
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_json(folder / "rows.jsonl", orient="records", lines=True)
    pl.DataFrame(ROWS).write_parquet(folder / "rows.parquet")
    files = [folder / "rows.csv", str(folder / "rows.jsonl"), folder / "rows.parquet"]
    return [ROWS, tuple(ROWS), datasets.Dataset.from_list(ROWS), frame, pl.DataFrame(ROWS), *files]


def test_every_form_teaches_the_same(trainer, tmp_path):
    losses = [trainer(data, eval_dataset=data).train().training_loss for data in forms(tmp_path)]
    assert len(set(losses)) == 1


def test_a_stream_is_read_as_far_as_the_steps_see_it(trainer):
    stream = datasets.IterableDataset.from_generator(lambda: iter(ROWS * 100))
    made = trainer(stream, settings={"gradient_accumulation_steps": 3})
    assert made.train().global_step == 2
    assert len(made._train_rows) == 2 * 3 * 2
    with pytest.raises(DataError, match=r"train_dataset is a IterableDataset, which has no length.*set max_steps"):
        trainer(stream, settings={"max_steps": -1}).train()


def test_labels_have_the_names_that_the_data_has(trainer):
    made = trainer()
    made.train()
    assert made.model.config.id2label == {0: "neg", 1: "pos"}
    numbers = datasets.Dataset.from_list([{"text": row["text"], "label": row["label"] == "pos"} for row in ROWS])
    named = numbers.cast_column("label", datasets.ClassLabel(names=["down", "up"]))
    made = trainer(named)
    made.train()
    assert made.model.config.id2label == {0: "down", 1: "up"}
    with pytest.raises(DataError, match=r"The data has 2 labels \(neg, pos\), but the model has outputs for 5.*num_labels=2"):
        trainer(config={"num_labels": 5}).train()


def test_several_sets_are_measured_by_name(trainer):
    sets = {"easy": ROWS[:4], "hard": ROWS[4:]}
    made = trainer(
        eval_dataset=sets, settings={"eval_strategy": "steps", "eval_steps": 2, "metric_for_best_model": "hard_accuracy"}
    )
    made.train()
    found = made.evaluate()
    assert {name.partition("_")[2] for name in found} >= {"easy_loss", "easy_accuracy", "hard_loss", "hard_accuracy"}
    assert made.state.best_metric == found["eval_hard_accuracy"]
    assert made.evaluate("easy", metric_key_prefix="x")["x_loss"] == found["eval_easy_loss"]
    assert made.evaluate(sets["hard"])["eval_loss"] == found["eval_hard_loss"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("missing.csv", r"train_dataset is 'missing.csv', but there is no such file\. Correct the path"),
        (datasets.DatasetDict(train=datasets.Dataset.from_list(ROWS)), r"a DatasetDict with the splits train.*data\['train'\]"),
        ({"text": ["a"], "label": [1]}, r"train_dataset is a dict with text, label, but rows are wanted\. Give a list of dicts"),
        (7, r"train_dataset is a int, which has no length\. Give a list of dicts"),
        (None, r"train_dataset is missing.*Give a list of dicts"),
        (pd.DataFrame({"text": []}), r"train_dataset is empty.*Give at least one row"),
    ],
)
def test_what_are_no_rows_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        rows_of(data, "train_dataset")


def test_logits_may_be_made_smaller_before_they_are_measured(trainer):
    made = trainer(
        eval_dataset=ROWS, preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1),
        compute_metrics=lambda found: {
            "shape": found.predictions.ndim, "eval_right": (found.predictions == found.label_ids).mean()
        },
    )  # fmt: skip
    made.train()
    scores = made.evaluate()
    assert scores["eval_shape"] == 1
    assert 0 <= scores["eval_right"] <= 1
    assert made.predict(ROWS).predictions.shape == (9,)
    made.compute_metrics = lambda found: 3
    with pytest.raises(ConfigError, match="compute_metrics returned a int, but scores have names"):
        made.evaluate()


def test_figures_are_shown_and_kept(trainer, tmp_path, capsys):
    made = trainer(eval_dataset=ROWS, settings={"prediction_loss_only": True})
    result = made.train()
    scores = made.evaluate()
    assert scores.keys() == {"eval_loss"}
    made.log({"mine": 3.5})
    made.log_metrics("train", result.metrics)
    made.save_metrics("train", {"train_loss": 0.5})
    made.save_metrics("eval", scores)
    made.save_state()
    folder = tmp_path / "out"
    assert pd.read_json(folder / "all_results.json", typ="series").keys().tolist() == ["eval_loss", "train_loss"]
    assert '"mine": 3.5' in (folder / "trainer_state.json").read_text()
    assert made.state.log_history[-1]["mine"] == 3.5
    made.create_model_card()
    assert "out" in (folder / "README.md").read_text()
    for name in ("get_train_dataloader", "training_step", "create_optimizer"):
        with pytest.raises(AttributeError, match=f"Trainer has no {name}"):
            getattr(made, name)


def test_the_last_batch_may_be_left_out_and_the_order_have_its_own_seed(trainer):
    whole, full = (trainer(settings={"dataloader_drop_last": drop})._job().order(0) for drop in (False, True))
    assert (len(whole), len(full)) == (5, 4)
    assert all(len(batch) == 2 for batch in full)
    ordered = [
        [batch.tolist() for batch in trainer(settings=one)._job().order(0)] for one in ({"data_seed": 42}, {}, {"data_seed": 7})
    ]
    assert ordered[0] == ordered[1] != ordered[2]
    with pytest.raises(ConfigError, match="dataloader_drop_last leaves no batch: there are 9 texts"):
        trainer(settings={"dataloader_drop_last": True, "per_device_train_batch_size": 16})._job().order(0)
